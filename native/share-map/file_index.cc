#include "share-map/file_index.h"

#include <algorithm>
#include <cmath>

namespace meshward::share_map {
namespace {

// Linear probing: at 7/8 a hit reads 5 entries on average, a miss 33, all beside each other.
constexpr std::uint32_t least_capacity = 8;
constexpr bool is_full(std::uint32_t count, std::uint32_t capacity) { return count >= capacity - capacity / 8; }
constexpr std::uint32_t grown(std::uint32_t capacity) { return std::max(least_capacity, capacity + capacity / 8 + 4); }

}  // namespace

RowNumber FileIndex::guess(std::uint64_t hash) const {
  const Table& table = tables_[hash >> 54];
  if (table.capacity == 0) return no_row;
  for (std::uint32_t at = start_of(table, hash); table.entries[at] != empty; at = at + 1 == table.capacity ? 0 : at + 1) {
    if ((table.entries[at] & 63) == (hash & 63)) return table.entries[at] >> 6;
  }
  return no_row;
}

RowNumber FileIndex::find(const SlabStore& store, const std::uint8_t* index, std::uint64_t hash) const {
  const Table& table = tables_[hash >> 54];
  if (table.capacity == 0) return no_row;
  for (std::uint32_t at = start_of(table, hash); table.entries[at] != empty; at = at + 1 == table.capacity ? 0 : at + 1) {
    const std::uint32_t entry = table.entries[at];
    if ((entry & 63) == (hash & 63) && store.row_of(entry >> 6).is(index)) return entry >> 6;
  }
  return no_row;
}

void FileIndex::insert(const SlabStore& store, std::uint64_t hash, RowNumber number) {
  Table& table = tables_[hash >> 54];
  if (is_full(table.count + 1, table.capacity)) grow(store, table);
  put(table, hash, entry_of(hash, number));
  table.count++;
}

bool FileIndex::insert_new(const SlabStore& store, std::uint64_t hash, RowNumber number) {
  Table& table = tables_[hash >> 54];
  if (is_full(table.count + 1, table.capacity)) grow(store, table);
  const std::uint8_t* index = store.row_of(number).storage_index();
  std::uint32_t at = start_of(table, hash);
  for (; table.entries[at] != empty; at = at + 1 == table.capacity ? 0 : at + 1) {
    const std::uint32_t entry = table.entries[at];
    if ((entry & 63) == (hash & 63) && store.row_of(entry >> 6).is(index)) return false;
  }
  table.entries[at] = entry_of(hash, number);
  table.count++;
  return true;
}

void FileIndex::replace(std::uint64_t hash, RowNumber from, RowNumber to) {
  Table& table = tables_[hash >> 54];
  std::uint32_t at = start_of(table, hash);
  while (table.entries[at] != entry_of(hash, from)) at = at + 1 == table.capacity ? 0 : at + 1;
  table.entries[at] = entry_of(hash, to);
}

void FileIndex::reserve(std::uint64_t files) {
  // A table's share of the files scatters by its root; a table that gets more than is expected grows as ever.
  const auto each = static_cast<std::uint32_t>(files / tables_.size());
  const std::uint32_t expected = each + 2 * static_cast<std::uint32_t>(std::sqrt(each));
  if (expected == 0) return;
  for (Table& table : tables_) {
    table.capacity = expected + expected / 6 + least_capacity;
    table.entries = std::make_unique_for_overwrite<std::uint32_t[]>(table.capacity);
    std::fill_n(table.entries.get(), table.capacity, empty);
  }
}

void FileIndex::remove(const SlabStore& store, std::uint64_t hash, RowNumber number) {
  Table& table = tables_[hash >> 54];
  const auto next = [&](std::uint32_t at) { return at + 1 == table.capacity ? 0 : at + 1; };
  std::uint32_t hole = start_of(table, hash);
  while (table.entries[hole] != entry_of(hash, number)) hole = next(hole);
  // What stands behind the hole and may not be found across it moves into it.
  for (std::uint32_t at = next(hole); table.entries[at] != empty; at = next(at)) {
    const std::uint32_t start = start_of(table, this->hash(store.row_of(table.entries[at] >> 6).storage_index()));
    const bool starts_behind_hole = hole <= at ? start > hole && start <= at : start > hole || start <= at;
    if (starts_behind_hole) continue;
    table.entries[hole] = table.entries[at];
    hole = at;
  }
  table.entries[hole] = empty;
  table.count--;
}

void FileIndex::grow(const SlabStore& store, Table& table) {
  Table larger;
  larger.capacity = grown(table.capacity);
  larger.count = table.count;
  larger.entries = std::make_unique_for_overwrite<std::uint32_t[]>(larger.capacity);
  std::fill_n(larger.entries.get(), larger.capacity, empty);
  constexpr std::uint32_t ahead = 16;
  for (std::uint32_t at = 0; at < table.capacity; at++) {
    if (at + ahead < table.capacity && table.entries[at + ahead] != empty) {
      __builtin_prefetch(store.row_of(table.entries[at + ahead] >> 6).storage_index());
    }
    const std::uint32_t entry = table.entries[at];
    if (entry != empty) put(larger, hash(store.row_of(entry >> 6).storage_index()), entry);
  }
  table = std::move(larger);
}

void FileIndex::put(Table& table, std::uint64_t hash, std::uint32_t entry) {
  std::uint32_t at = start_of(table, hash);
  while (table.entries[at] != empty) at = at + 1 == table.capacity ? 0 : at + 1;
  table.entries[at] = entry;
}

std::size_t FileIndex::bytes() const {
  std::size_t total = sizeof(*this);
  for (const Table& table : tables_) total += table.capacity * sizeof(std::uint32_t);
  return total;
}

}  // namespace meshward::share_map
