#include "share-map/count_shares.h"

namespace meshward::share_map {
namespace {

constexpr std::uint32_t lanes_per_group = 16;

std::uint32_t load32(const std::uint8_t* at) {
  std::uint32_t word;
  __builtin_memcpy(&word, at, 4);
  return word;
}

/** The fewest lanes, largest first, that add up to more than `spare`; all that are not zero where none do. */
std::uint32_t tolerance_of(const std::uint16_t* lanes, std::uint32_t domains, std::uint32_t spare) {
  std::uint16_t sorted[lanes_per_group];
  for (std::uint32_t i = 0; i < lanes_per_group; i++) {
    std::uint32_t at = i;
    for (; at > 0 && sorted[at - 1] < lanes[i]; at--) sorted[at] = sorted[at - 1];
    sorted[at] = lanes[i];
  }
  std::uint32_t taken = 0;
  for (std::uint32_t i = 0; i < domains; i++) {
    taken += sorted[i];
    if (taken > spare) return i + 1;
  }
  return domains;
}

template <std::uint32_t groups, bool some_dead>
void count_shares(const CountInput& input, Counts& counts) {
  constexpr std::uint32_t stride = groups * lanes_per_group;
  std::uint64_t sums = 0;
  std::uint16_t lanes[stride] = {};
  for (std::uint32_t i = 0; i < input.slot_count; i++) {
    const std::uint32_t word = load32(input.before_slots + 3 * i);
    const std::uint64_t entry = input.entries[some_dead ? word >> 9 : word >> 12];
    sums += entry;
    const std::uint8_t* own = input.lanes + (entry >> entry_row_shift) * stride;
    for (std::uint32_t lane = 0; lane < stride; lane++) lanes[lane] = static_cast<std::uint16_t>(lanes[lane] + own[lane]);
  }
  counts = {};
  take_sums(sums, counts);
  const std::uint32_t available = counts.available;
  const bool recoverable = available >= input.k;
  for (std::uint32_t group = 0; group < groups; group++) {
    const std::uint16_t* own = lanes + group * lanes_per_group;
    std::uint32_t domains = 0;
    for (std::uint32_t lane = 0; lane < lanes_per_group; lane++) domains += own[lane] != 0;
    counts.domains[group] = static_cast<std::uint8_t>(domains);
    counts.tolerance[group] = static_cast<std::uint8_t>(recoverable ? tolerance_of(own, domains, available - input.k) : 0);
  }
  for (std::uint32_t lane = 0; lane < stride; lane++) {
    const std::uint64_t bit = 1ull << lane;
    if (recoverable && lanes[lane] > available - input.k) counts.above_spare |= bit;
    if (available >= input.repair_below && lanes[lane] > available - input.repair_below) counts.above_repair |= bit;
  }
}

}  // namespace

extern const CountKernels count_shares_scalar = {{
    {count_shares<1, false>, count_shares<1, true>},
    {count_shares<2, false>, count_shares<2, true>},
    {count_shares<4, false>, count_shares<4, true>},
}};

}  // namespace meshward::share_map
