#include "share-map/slab.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace meshward::share_map {
namespace {

bool fits(double value, double limit) { return value >= 0 && value < limit && std::floor(value) == value; }

}  // namespace

void Extras::add(std::uint32_t share, std::uint32_t slot) {
  const std::uint32_t used = count();
  const std::uint32_t capacity = words_ ? words_[0] >> 16 : 0;
  if (used == capacity) {
    if (capacity == 0xffff) throw std::length_error("a file has more than 65,535 placements beside its own");
    const std::uint32_t larger = std::min<std::uint32_t>(0xffff, capacity + std::max(2u, capacity / 4));
    auto words = std::make_unique<std::uint32_t[]>(1 + larger);
    if (used > 0) std::copy_n(words_.get() + 1, used, words.get() + 1);
    words[0] = larger << 16 | used;
    words_ = std::move(words);
  }
  words_[1 + used] = share << 24 | slot;
  words_[0]++;
}

void Extras::remove(std::uint32_t i) {
  const std::uint32_t last = count() - 1;
  words_[1 + i] = words_[1 + last];
  words_[0]--;
  if (last == 0) words_.reset();
}

FileFacts Slab::facts(std::uint32_t place) const {
  const Row row = this->row(place);
  if (row.has(has_rare)) return rare->at(place);
  if (!row.has(registered)) return {};
  return {static_cast<double>(row.size_field()), time_origin_ms + static_cast<double>(row.time_field()), row.class_field()};
}

bool Slab::fit_a_row(const FileFacts& facts) {
  const double time = facts.registered_at_ms - time_origin_ms;
  return fits(facts.size_bytes, static_cast<double>(size_limit)) && fits(time, static_cast<double>(time_limit)) && facts.file_class < class_limit;
}

void Slab::set_facts(std::uint32_t place, const FileFacts& facts) {
  const Row row = this->row(place);
  if (fit_a_row(facts)) {
    const double time = facts.registered_at_ms - time_origin_ms;
    if (row.has(has_rare)) rare->erase(place);
    row.clear(has_rare);
    row.set_fields(static_cast<std::uint64_t>(facts.size_bytes), static_cast<std::uint64_t>(time), facts.file_class);
  } else {
    if (!rare) rare = std::make_unique<std::unordered_map<std::uint32_t, FileFacts>>();
    (*rare)[place] = facts;
    row.set(has_rare);
  }
}

RowNumber SlabStore::allocate(std::uint32_t slots) {
  RowNumber number;
  if (!free_[slots].empty()) {
    number = free_[slots].back();
    free_[slots].pop_back();
    const HeldRows held(&slab_of(number).lock, number % rows_per_slab);
    clear_row(number);
  } else {
    if (open_[slots] == 0 || slabs_[open_[slots] - 1]->used == rows_per_slab) {
      if (slabs_.size() >= most_slabs) throw std::length_error("a share map holds at most 67 million rows");
      slabs_.push_back(std::make_unique<Slab>(slots));
      open_[slots] = static_cast<std::uint32_t>(slabs_.size());
    }
    Slab& slab = *slabs_[open_[slots] - 1];
    const HeldRows held(&slab.lock, SlabLock::all_rows);
    number = (open_[slots] - 1) * rows_per_slab + slab.used++;
    clear_row(number);
  }
  return number;
}

void SlabStore::clear_row(RowNumber number) {
  std::memset(row_of(number).storage_index(), 0, slab_of(number).row_bytes);
  row_of(number).set(vacant);
}

void SlabStore::offer(RowNumber first) {
  const Slab& slab = slab_of(first);
  if (slab.used < rows_per_slab) open_[slab.slot_count] = first / rows_per_slab + 1;
}

std::size_t SlabStore::bytes() const {
  std::size_t total = slabs_.capacity() * sizeof(slabs_[0]);
  for (const auto& slab : slabs_) {
    total += sizeof(Slab) + static_cast<std::size_t>(slab->row_bytes) * slab->used;
    if (slab->extras) {
      total += sizeof(*slab->extras);
      for (const Extras& extras : *slab->extras) total += extras.bytes();
    }
    if (slab->rare) total += slab->rare->size() * 64;
  }
  for (const auto& rows : free_) total += rows.capacity() * sizeof(RowNumber);
  return total;
}

}  // namespace meshward::share_map
