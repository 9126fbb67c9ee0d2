#pragma once
// The innermost loop of a sweep: one pass over a file's slots counts shares by state and by domain, for a file whose shares
// are all sound and each on a peer of its own. One file a level; includes no standard header but <cstdint>.

#include <cstdint>

namespace meshward::share_map {

struct CountInput {
  const std::uint8_t* before_slots;  // see Row::before_slots
  std::uint32_t slot_count;
  std::uint32_t k;
  std::uint32_t repair_below;
  const std::uint64_t* entries;  // both: see PeerTables
  const std::uint8_t* lanes;
};

struct Counts {
  std::uint32_t available;
  std::uint32_t counted;
  std::uint32_t retained;
  std::uint32_t expected;       // thousandths
  std::uint8_t tolerance[4];    // of each group of lanes
  std::uint8_t domains[4];      // lanes that are not zero, of each group
  std::uint64_t above_spare;    // a bit for each lane whose loss leaves fewer than k; 0 where there are fewer already
  std::uint64_t above_repair;   // the same for repair_below
};

using CountShares = void (*)(const CountInput&, Counts&);

/**
 * What one placement adds to its file: 1 to available, counted and retained shares (8 bits each, for at most 255 slots), the
 * peer's confidence to what may be expected (18 bits), and above them the peer's row of lanes. One addition a slot counts all of
 * it; what the rows' numbers add up to runs over the top and harms nobody.
 */
constexpr std::uint32_t entry_count_bits = 8;
constexpr std::uint32_t entry_expected_shift = 3 * entry_count_bits;
constexpr std::uint32_t entry_expected_bits = 18;
constexpr std::uint32_t entry_row_shift = entry_expected_shift + entry_expected_bits;

constexpr void take_sums(std::uint64_t sums, Counts& counts) {
  counts.available = sums & 255;
  counts.counted = sums >> entry_count_bits & 255;
  counts.retained = sums >> (2 * entry_count_bits) & 255;
  counts.expected = sums >> entry_expected_shift & ((1u << entry_expected_bits) - 1);
}

/** One kernel for 1, 2 and 4 groups of lanes, without and with dead placements. */
struct CountKernels {
  CountShares by_groups[3][2];
};

extern const CountKernels count_shares_scalar;
#if defined(__x86_64__)
extern const CountKernels count_shares_ssse3;
extern const CountKernels count_shares_avx2;
extern const CountKernels count_shares_avx512;
#elif defined(__aarch64__)
extern const CountKernels count_shares_neon;
#endif

}  // namespace meshward::share_map
