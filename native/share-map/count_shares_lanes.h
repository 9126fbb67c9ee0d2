// The vector kernel over registers of one width; included by one file a level, after it has named its widths.
// A group of 16 bytes is sorted, added up and compared by itself, in every 128 bits of a register at once.
// Sums saturate at 255, which changes nothing: a file has at most 256 shares and k ≥ 1, so `spare` is at most 255.

namespace meshward::share_map {
namespace {

inline std::uint32_t load32(const std::uint8_t* at) {
  std::uint32_t word;
  __builtin_memcpy(&word, at, 4);
  return word;
}

alignas(16) constexpr std::uint8_t partners[4][16] = {
    {1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14},
    {2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13},
    {4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11},
    {8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7},
};

struct KeepLarger {
  alignas(16) std::uint8_t lanes[16];
};

/** Step (run, distance) of a bitonic sort, largest first: 255 in the lanes that keep the larger of a pair. */
constexpr KeepLarger keeps_larger(std::uint32_t run, std::uint32_t distance) {
  KeepLarger keep{};
  for (std::uint32_t lane = 0; lane < 16; lane++) {
    keep.lanes[lane] = ((lane & run) == 0) == ((lane & distance) == 0) ? 255 : 0;
  }
  return keep;
}

template <class R, std::uint32_t run, std::uint32_t log2_distance>
inline typename R::Type sort_step(typename R::Type lanes) {
  static constexpr KeepLarger keep = keeps_larger(run, 1u << log2_distance);
  const auto partner = R::shuffle(lanes, R::broadcast(partners[log2_distance]));
  return R::choose(R::broadcast(keep.lanes), R::larger(lanes, partner), R::smaller(lanes, partner));
}

template <class R>
inline typename R::Type sort_largest_first(typename R::Type lanes) {
  lanes = sort_step<R, 2, 0>(lanes);
  lanes = sort_step<R, 4, 1>(lanes);
  lanes = sort_step<R, 4, 0>(lanes);
  lanes = sort_step<R, 8, 2>(lanes);
  lanes = sort_step<R, 8, 1>(lanes);
  lanes = sort_step<R, 8, 0>(lanes);
  lanes = sort_step<R, 16, 3>(lanes);
  lanes = sort_step<R, 16, 2>(lanes);
  lanes = sort_step<R, 16, 1>(lanes);
  return sort_step<R, 16, 0>(lanes);
}

template <class R, std::uint32_t registers, bool some_dead>
void count_shares(const CountInput& input, Counts& counts) {
  constexpr std::uint32_t stride = registers * R::bytes;
  constexpr std::uint32_t groups_per_register = R::bytes / 16;
  typename R::Type lanes[registers];
  for (auto& part : lanes) part = R::zero();
  std::uint64_t sums = 0;
  const std::uint8_t* at = input.before_slots;
  for (std::uint32_t i = 0; i < input.slot_count; i++, at += 3) {
    const std::uint32_t word = load32(at);
    const std::uint64_t entry = input.entries[some_dead ? word >> 9 : word >> 12];
    sums += entry;
    const std::uint8_t* own = input.lanes + (entry >> entry_row_shift) * stride;
    for (std::uint32_t part = 0; part < registers; part++) lanes[part] = R::add(lanes[part], R::load(own + part * R::bytes));
  }

  counts = {};
  take_sums(sums, counts);
  const std::uint32_t available = counts.available;
  const bool recoverable = available >= input.k;
  const bool above_threshold = available >= input.repair_below;
  const auto spare = R::fill(static_cast<std::uint8_t>(recoverable ? available - input.k : 0));
  const auto spare_repair = R::fill(static_cast<std::uint8_t>(above_threshold ? (available - input.repair_below > 255 ? 255 : available - input.repair_below) : 255));
  for (std::uint32_t part = 0; part < registers; part++) {
    const std::uint64_t present = R::not_zero(lanes[part]);
    if (recoverable) counts.above_spare |= R::not_zero(R::subtract(lanes[part], spare)) << (part * R::bytes);
    counts.above_repair |= R::not_zero(R::subtract(lanes[part], spare_repair)) << (part * R::bytes);
    auto taken = sort_largest_first<R>(lanes[part]);
    const std::uint64_t holds = R::not_zero(taken);
    taken = R::add(taken, R::template shift<1>(taken));
    taken = R::add(taken, R::template shift<2>(taken));
    taken = R::add(taken, R::template shift<4>(taken));
    taken = R::add(taken, R::template shift<8>(taken));
    const std::uint64_t within = ~R::not_zero(R::subtract(taken, spare)) & holds;
    for (std::uint32_t group = 0; group < groups_per_register; group++) {
      const std::uint32_t domains = static_cast<std::uint32_t>(__builtin_popcount(present >> (group * 16) & 0xffff));
      const std::uint32_t withstood = static_cast<std::uint32_t>(__builtin_popcount(within >> (group * 16) & 0xffff));
      const std::uint32_t to = part * groups_per_register + group;
      counts.domains[to] = static_cast<std::uint8_t>(domains);
      counts.tolerance[to] = static_cast<std::uint8_t>(!recoverable ? 0 : withstood < domains ? withstood + 1 : domains);
    }
  }
}

}  // namespace
}  // namespace meshward::share_map
