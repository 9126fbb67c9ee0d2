#include "share-map/peers.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>

#include "share-map/count_shares.h"

namespace meshward::share_map {
namespace {

constexpr std::uint32_t lanes_per_kind = 16;
constexpr std::size_t most_lane_kinds = 4;
constexpr std::size_t lane_alignment = 64;

constexpr std::uint64_t entry_of(std::uint8_t flags, std::uint16_t confidence, std::uint32_t row) {
  const std::uint32_t counts = (flags & available ? 1u : 0u) | (flags & counted ? 1u : 0u) << entry_count_bits | (flags & retained ? 1u : 0u) << (2 * entry_count_bits);
  return counts | static_cast<std::uint64_t>(confidence) << entry_expected_shift | static_cast<std::uint64_t>(row) << entry_row_shift;
}

}  // namespace

PeerTables::PeerTables(const PeerColumns& columns, std::uint32_t capacity, const Generations& generations)
    : capacity(capacity), kinds(static_cast<std::uint32_t>(columns.domain_count.size())), domain_count(columns.domain_count) {
  const std::size_t count = capacity + 1;
  const std::size_t known = std::min<std::size_t>(capacity, columns.flags.size());
  flags.assign(count, retained);
  flags[0] = 0;
  std::copy_n(columns.flags.begin(), known, flags.begin() + 1);
  domains.assign(count * kinds, no_domain);
  std::copy_n(columns.domains.begin(), known * kinds, domains.begin() + kinds);

  confidences.assign(count, 0);
  for (std::size_t at = 1; at < count; at++) {
    if (flags[at] & available) confidences[at] = at - 1 < columns.confidences.size() ? columns.confidences[at - 1] : full_confidence;
  }

  for (std::uint32_t kind = 0; kind < kinds; kind++) {
    first_domain.push_back(all_domains);
    all_domains += domain_count[kind];
    const bool gets_lanes = domain_count[kind] <= lanes_per_kind && lane_kinds.size() < most_lane_kinds;
    (gets_lanes ? lane_kinds : other_kinds).push_back(kind);
  }
  lane_groups = lane_kinds.size() <= 1 ? 1 : lane_kinds.size() == 2 ? 2 : 4;
  sound_rows_ = make_lanes();

  const std::uint32_t peers = std::min(capacity, generations.peer_count());
  for (std::uint32_t peer = 0; peer < peers; peer++) some_dead |= generations.of(peer).dead != 0;
  std::vector<std::uint64_t> sound(count);
  for (std::size_t at = 0; at < count; at++) sound[at] = entry_of(flags[at], confidences[at], sound_rows_[at]);
  if (!some_dead) {
    entries = std::move(sound);
    return;
  }
  entries.resize(count * Generations::codes);
  dead_.resize(count * Generations::codes);
  for (std::size_t at = 0; at < count; at++) {
    const std::uint32_t dead = at >= 1 && at <= peers ? generations.of(static_cast<std::uint32_t>(at - 1)).dead : 0;
    for (std::uint32_t code = 0; code < Generations::codes; code++) {
      const bool is_dead = dead >> code & 1;
      dead_[at * Generations::codes + code] = is_dead;
      entries[at * Generations::codes + code] = is_dead ? 0 : sound[at];
    }
  }
}

std::vector<std::uint32_t> PeerTables::make_lanes() {
  std::vector<std::uint32_t> row_of_peer(flags.size());
  std::map<std::array<std::uint16_t, most_lane_kinds + 1>, std::uint32_t> known;
  std::vector<std::array<std::uint16_t, most_lane_kinds + 1>> keys;
  for (std::size_t entry = 0; entry < flags.size(); entry++) {
    std::array<std::uint16_t, most_lane_kinds + 1> key{};
    key[most_lane_kinds] = flags[entry];
    for (std::size_t group = 0; group < lane_kinds.size(); group++) {
      key[group] = flags[entry] & available ? domains[entry * kinds + lane_kinds[group]] : no_domain;
    }
    const auto [found, is_new] = known.try_emplace(key, static_cast<std::uint32_t>(keys.size()));
    if (is_new) keys.push_back(key);
    row_of_peer[entry] = found->second;
  }
  const std::size_t stride = lane_groups * lanes_per_kind;
  lane_memory_.assign(keys.size() * stride + lane_alignment, 0);
  std::uint8_t* aligned = lane_memory_.data() + (lane_alignment - reinterpret_cast<std::uintptr_t>(lane_memory_.data()) % lane_alignment) % lane_alignment;
  for (std::size_t row = 0; row < keys.size(); row++) {
    for (std::size_t group = 0; group < lane_kinds.size(); group++) {
      if (keys[row][group] != no_domain) aligned[row * stride + group * lanes_per_kind + keys[row][group]] = 1;
    }
  }
  lanes = aligned;
  return row_of_peer;
}

}  // namespace meshward::share_map
