#pragma once
// Storage index → row. 1,024 small tables with open addressing; a table that is full is made anew by itself, so that
// growth costs some hundred microseconds now and then and never stops the whole map.

#include <array>
#include <memory>

#include "share-map/slab.h"

namespace meshward::share_map {

class FileIndex {
 public:
  /** The seed is secret, since peers choose storage indexes. */
  FileIndex(std::uint64_t seed_low, std::uint64_t seed_high) : seed_low_(seed_low | 1), seed_high_(seed_high) {}

  std::uint64_t hash(const std::uint8_t* index) const {
    const auto product = static_cast<unsigned __int128>(load64(index) ^ seed_low_) * (load64(index + 8) ^ seed_high_);
    const auto folded = static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
    const auto again = static_cast<unsigned __int128>(folded ^ load64(index)) * 0x9e3779b97f4a7c15ull;
    return static_cast<std::uint64_t>(again) ^ static_cast<std::uint64_t>(again >> 64);
  }

  void prefetch(std::uint64_t hash) const {
    const Table& table = tables_[hash >> 54];
    if (table.capacity > 0) __builtin_prefetch(&table.entries[start_of(table, hash)]);
  }

  /** The first row that may be the file's, by 6 bits: for a prefetch only. */
  RowNumber guess(std::uint64_t hash) const;
  RowNumber find(const SlabStore& store, const std::uint8_t* index, std::uint64_t hash) const;
  /** The file must not be there yet. */
  void insert(const SlabStore& store, std::uint64_t hash, RowNumber number);
  /** @returns false, and does nothing, where the file is there. */
  bool insert_new(const SlabStore& store, std::uint64_t hash, RowNumber number);
  void replace(std::uint64_t hash, RowNumber from, RowNumber to);
  /** For an index that is still empty: room for so many files without growing. */
  void reserve(std::uint64_t files);
  void remove(const SlabStore& store, std::uint64_t hash, RowNumber number);
  std::size_t bytes() const;

 private:
  static constexpr std::uint32_t empty = 0xffffffff;
  struct Table {
    std::unique_ptr<std::uint32_t[]> entries;  // row << 6 | low bits of the hash
    std::uint32_t capacity = 0;
    std::uint32_t count = 0;
  };

  static std::uint32_t start_of(const Table& table, std::uint64_t hash) {
    return static_cast<std::uint32_t>(((hash >> 8 & 0xffffffff) * table.capacity) >> 32);
  }
  static std::uint32_t entry_of(std::uint64_t hash, RowNumber number) { return number << 6 | static_cast<std::uint32_t>(hash & 63); }
  void grow(const SlabStore& store, Table& table);
  static void put(Table& table, std::uint64_t hash, std::uint32_t entry);

  std::uint64_t seed_low_;
  std::uint64_t seed_high_;
  std::array<Table, 1024> tables_;
};

}  // namespace meshward::share_map
