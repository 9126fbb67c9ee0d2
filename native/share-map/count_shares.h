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
  const std::uint32_t* rows;  // these three: see PeerTables
  const std::uint32_t* sums;
  const std::uint8_t* lanes;
};

struct Counts {
  std::uint32_t sums;           // available, counted, retained: 10 bits each
  std::uint8_t tolerance[4];    // of each group of lanes
  std::uint8_t domains[4];      // lanes that are not zero, of each group
  std::uint64_t above_spare;    // a bit for each lane whose loss leaves fewer than k; 0 where there are fewer already
  std::uint64_t above_repair;   // the same for repair_below
};

using CountShares = void (*)(const CountInput&, Counts&);

/** One kernel for 1, 2 and 4 groups of lanes, without and with dead placements. */
struct CountKernels {
  CountShares by_groups[3][2];
};

extern const CountKernels count_shares_scalar;
#if defined(__x86_64__)
extern const CountKernels count_shares_ssse3;
extern const CountKernels count_shares_avx2;
extern const CountKernels count_shares_avx512;
#endif

}  // namespace meshward::share_map
