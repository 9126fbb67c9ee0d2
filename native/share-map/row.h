#pragma once
// One file as bytes: a head of 64 bytes, then a slot of 3 bytes for each share number below the slab's slot count.
//
//    0  storage index, 16 bytes
//   16  UEB hash, 32 bytes (in a row that has moved: the number of the row where the file is now)
//   48  size in bytes (34 bits) | health as last reported (30 bits)
//   56  registered at (40 bits, ms since 2015) | class (11 bits) | flags (13 bits)
//   64  slots: peer + 1 (20 bits) | generation code (3 bits) | corrupt (1 bit); 0 is an empty slot
//
// A size, time or class that does not fit is kept beside the slab (`Slab::rare`).

#include <bit>
#include <cstdint>
#include <cstring>

namespace meshward::share_map {

static_assert(std::endian::native == std::endian::little, "rows are read as little-endian words");

/** Slab number × 256 + place in the slab: below 2^26. */
using RowNumber = std::uint32_t;
constexpr RowNumber no_row = 0xffffffff;

constexpr std::uint32_t storage_index_bytes = 16;
constexpr std::uint32_t ueb_hash_bytes = 32;
constexpr std::uint32_t head_bytes = 64;
constexpr std::uint32_t slot_bytes = 3;
constexpr std::uint32_t most_slots = 256;
constexpr std::uint32_t most_peers = (1u << 20) - 1;

enum Flag : std::uint32_t {
  registered = 1u << 0,
  deleted = 1u << 1,
  settled = 1u << 2,       // it once had enough shares, or was known for long enough
  reported = 1u << 3,      // `seen` holds what was reported last
  was_settling = 1u << 4,  // as reported last
  touched = 1u << 5,       // stands in the list of touched rows
  file_changed = 1u << 6,  // stands in the list of changed files
  sweep_parity = 1u << 7,  // equals the sweep's own where that sweep has been here
  has_extras = 1u << 8,
  has_rare = 1u << 9,
  structure_known = 1u << 10,  // `plain` is up to date
  plain = 1u << 11,            // no extras, no corrupt share, every share on a peer of its own
  vacant = 1u << 12,
};

constexpr std::uint32_t flag_bits = 13;
constexpr std::uint32_t class_bits = 11;
constexpr std::uint32_t seen_bits = 30;
constexpr std::uint64_t size_limit = 1ull << 34;
constexpr std::uint64_t time_limit = 1ull << 40;
constexpr std::uint32_t class_limit = 1u << class_bits;
constexpr double time_origin_ms = 1420070400000.0;

inline std::uint32_t load32(const std::uint8_t* at) {
  std::uint32_t word;
  std::memcpy(&word, at, 4);
  return word;
}

inline std::uint64_t load64(const std::uint8_t* at) {
  std::uint64_t word;
  std::memcpy(&word, at, 8);
  return word;
}

inline void store64(std::uint8_t* at, std::uint64_t word) { std::memcpy(at, &word, 8); }

constexpr std::uint32_t slot_of(std::uint32_t peer, std::uint32_t code, bool corrupt) {
  return (peer + 1) << 4 | code << 1 | static_cast<std::uint32_t>(corrupt);
}
constexpr std::uint32_t peer_of(std::uint32_t slot) { return (slot >> 4) - 1; }
constexpr std::uint32_t code_of(std::uint32_t slot) { return (slot >> 1) & 7; }
constexpr bool is_corrupt(std::uint32_t slot) { return slot & 1; }

/** A view of a row; the slab says how many slots it has. */
class Row {
 public:
  explicit Row(std::uint8_t* at) : at_(at) {}

  std::uint8_t* storage_index() const { return at_; }
  std::uint8_t* ueb_hash() const { return at_ + 16; }
  /** The byte before slot 0: a 32-bit word read from `before_slots() + 3 × i` has slot i in its upper 24 bits. */
  const std::uint8_t* before_slots() const { return at_ + head_bytes - 1; }

  bool is(const std::uint8_t* index) const { return load64(at_) == load64(index) && load64(at_ + 8) == load64(index + 8); }

  std::uint32_t slot(std::uint32_t share) const { return load32(before_slots() + slot_bytes * share) >> 8; }
  void set_slot(std::uint32_t share, std::uint32_t slot) const { std::memcpy(at_ + head_bytes + slot_bytes * share, &slot, 3); }

  bool has(std::uint32_t flags) const { return flags_word() & flags; }
  std::uint32_t flags() const { return static_cast<std::uint32_t>(flags_word()) & ((1u << flag_bits) - 1); }
  void set(std::uint32_t flags) const { store64(at_ + 56, flags_word() | flags); }
  void clear(std::uint32_t flags) const { store64(at_ + 56, flags_word() & ~static_cast<std::uint64_t>(flags)); }

  std::uint32_t class_field() const { return static_cast<std::uint32_t>(flags_word() >> flag_bits) & (class_limit - 1); }
  std::uint64_t time_field() const { return flags_word() >> (flag_bits + class_bits); }
  std::uint64_t size_field() const { return load64(at_ + 48) >> seen_bits; }
  void set_fields(std::uint64_t size, std::uint64_t time, std::uint32_t file_class) const {
    store64(at_ + 48, size << seen_bits | seen());
    store64(at_ + 56, time << (flag_bits + class_bits) | static_cast<std::uint64_t>(file_class) << flag_bits | flags());
  }

  std::uint32_t seen() const { return static_cast<std::uint32_t>(load64(at_ + 48)) & ((1u << seen_bits) - 1); }
  void set_seen(std::uint32_t seen) const { store64(at_ + 48, size_field() << seen_bits | seen); }

  RowNumber moved_to() const { return load32(at_ + 16); }
  void set_moved_to(RowNumber number) const { std::memcpy(at_ + 16, &number, 4); }

 private:
  std::uint64_t flags_word() const { return load64(at_ + 56); }

  std::uint8_t* at_;
};

}  // namespace meshward::share_map
