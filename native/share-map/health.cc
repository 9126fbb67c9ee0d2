#include "share-map/health.h"

#include <algorithm>

#include "isa/isa.h"

namespace meshward::share_map {
namespace {

constexpr std::uint32_t lanes_per_group = 16;

void add_all(std::vector<std::uint32_t>& to, const std::vector<std::uint32_t>& from) {
  for (std::size_t i = 0; i < from.size(); i++) to[i] += from[i];
}

/** Whether losing `shares` of the available ones takes the file from at least `threshold` below it. */
bool falls_below(std::uint32_t available, std::uint32_t shares, std::uint32_t threshold) {
  return available >= threshold && shares > available - threshold;
}

template <class Visit>
void for_each_bit(std::uint64_t bits, Visit visit) {
  for (; bits != 0; bits &= bits - 1) visit(static_cast<std::uint32_t>(std::countr_zero(bits)));
}

}  // namespace

const CountKernels& kernels_of_current_level() {
#if defined(__x86_64__)
  switch (isa::current()) {
    case isa::Level::gfni:
    case isa::Level::avx512: return count_shares_avx512;
    case isa::Level::avx2: return count_shares_avx2;
    case isa::Level::ssse3: return count_shares_ssse3;
    default: return count_shares_scalar;
  }
#elif defined(__aarch64__)
  return isa::current() == isa::Level::neon ? count_shares_neon : count_shares_scalar;
#else
  return count_shares_scalar;
#endif
}

std::uint32_t Health::digest(std::uint32_t kinds) const {
  // Odd factors: a change of one figure by less than 4,096 always shows.
  static constexpr std::uint32_t factors[] = {2245, 3691, 1103, 907, 2783, 3391, 601, 1747};
  std::uint32_t rest = retained + corrupt * 1531 + distinct_peers * 2917 + happiness * 3769 + tolerance_peers * 443;
  // A kind that no holder names adds nothing, so that a kind that is new in the mesh changes no file without it.
  for (std::uint32_t kind = 0; kind < kinds; kind++) rest += static_cast<std::uint16_t>(tolerance[kind] + 1) * (factors[kind % 8] + 128 * kind);
  return available | counted << 9 | (rest & 4095) << 18;
}

void Exposure::add(const Exposure& other) {
  add_all(peers_below_k, other.peers_below_k);
  add_all(peers_below_repair, other.peers_below_repair);
  add_all(domains_below_k, other.domains_below_k);
  add_all(domains_below_repair, other.domains_below_repair);
}

Examiner::Examiner(const PeerTables& tables, const CountKernels& kernels)
    : tables_(tables),
      count_shares_(kernels.by_groups[tables.lane_groups == 4 ? 2 : tables.lane_groups - 1][tables.some_dead]),
      last_file_of_peer_(tables.capacity),
      shares_of_peer_(tables.capacity) {
  const auto most_domains = std::max_element(tables.domain_count.begin(), tables.domain_count.end());
  shares_of_domain_.resize(most_domains == tables.domain_count.end() ? 0 : *most_domains);
}

void Examiner::examine(Slab& slab, std::uint32_t place, const FileClass& file_class, Health& health, Exposure* exposure) {
  const Row row = slab.row(place);
  if (!row.has(structure_known)) learn_structure(slab, place);
  if (row.has(plain) && file_class.n >= slab.slot_count) examine_plain(slab, row, file_class, health, exposure);
  else examine_any(slab, place, file_class, health, exposure);
}

void Examiner::learn_structure(Slab& slab, std::uint32_t place) {
  const Row row = slab.row(place);
  row.set(structure_known);
  row.clear(plain);
  // With 256 slots a domain's shares may not fit into the byte that the kernels count them in.
  if (row.has(has_extras) || slab.slot_count == most_slots) return;
  if (++file_ == 0) {
    std::fill(last_file_of_peer_.begin(), last_file_of_peer_.end(), 0);
    file_ = 1;
  }
  bool is_plain = true;
  for (std::uint32_t share = 0; share < slab.slot_count; share++) {
    const std::uint32_t slot = row.slot(share);
    if (slot == 0) continue;
    std::uint32_t& last = last_file_of_peer_[peer_of(slot)];
    is_plain &= !is_corrupt(slot) && last != file_;
    last = file_;
  }
  if (is_plain) row.set(plain);
}

void Examiner::examine_plain(const Slab& slab, Row row, const FileClass& file_class, Health& health, Exposure* exposure) {
  Counts counts;
  count_shares_({row.before_slots(), slab.slot_count, file_class.k, file_class.repair_below, tables_.entries.data(), tables_.lanes}, counts);
  health.available = counts.available;
  health.counted = counts.counted;
  health.retained = counts.retained;
  health.expected = counts.expected;
  health.corrupt = 0;
  health.distinct_peers = health.available;
  health.happiness = health.available;
  health.tolerance_peers = health.available < file_class.k ? 0 : health.available - file_class.k + 1;
  for (std::uint32_t group = 0; group < tables_.lane_kinds.size(); group++) {
    health.tolerance[tables_.lane_kinds[group]] = counts.domains[group] == 0 ? no_tolerance : counts.tolerance[group];
  }
  const bool one_peer_counts = health.available == file_class.k || health.available == file_class.repair_below;
  if (!tables_.other_kinds.empty() || (exposure && one_peer_counts)) {
    peers_.clear();
    for (std::uint32_t share = 0; share < slab.slot_count; share++) {
      const std::uint32_t slot = row.slot(share);
      if (slot != 0 && tables_.flags_of(peer_of(slot)) & available && !tables_.dead(slot)) peers_.push_back(peer_of(slot));
    }
    for (const std::uint32_t peer : peers_) shares_of_peer_[peer] = 1;
    for (const std::uint32_t kind : tables_.other_kinds) look_at_kind(kind, file_class, health, exposure);
    for (const std::uint32_t peer : peers_) shares_of_peer_[peer] = 0;
  }
  if (!exposure) return;
  if (health.available == file_class.k) {
    for (const std::uint32_t peer : peers_) exposure->peers_below_k[peer]++;
  }
  if (health.available == file_class.repair_below) {
    for (const std::uint32_t peer : peers_) exposure->peers_below_repair[peer]++;
  }
  if ((counts.above_spare | counts.above_repair) == 0) return;
  const auto domain_at = [&](std::uint32_t lane) {
    return tables_.first_domain[tables_.lane_kinds[lane / lanes_per_group]] + lane % lanes_per_group;
  };
  for_each_bit(counts.above_spare, [&](std::uint32_t lane) { exposure->domains_below_k[domain_at(lane)]++; });
  for_each_bit(counts.above_repair, [&](std::uint32_t lane) { exposure->domains_below_repair[domain_at(lane)]++; });
}

/** Every rule for any file: corrupt shares, several shares on a peer, several peers for a share, shares beyond n. */
void Examiner::examine_any(const Slab& slab, std::uint32_t place, const FileClass& file_class, Health& health, Exposure* exposure) {
  collect(slab, place, file_class, health);
  peers_.clear();
  for (const Held& held : held_) {
    if (shares_of_peer_[held.peer]++ == 0) peers_.push_back(held.peer);
  }
  health.distinct_peers = static_cast<std::uint32_t>(peers_.size());
  const bool one_share_a_peer = held_.size() == peers_.size();
  health.happiness = one_share_a_peer ? health.available : !shares_doubled_ ? health.distinct_peers : matching(health.available);
  const bool recoverable = health.available >= file_class.k;
  counts_.clear();
  for (const std::uint32_t peer : peers_) counts_.push_back(shares_of_peer_[peer]);
  health.tolerance_peers = recoverable ? tolerance_of_counts(health.available - file_class.k) : 0;
  if (exposure) {
    for (const std::uint32_t peer : peers_) {
      exposure->peers_below_k[peer] += falls_below(health.available, shares_of_peer_[peer], file_class.k);
      exposure->peers_below_repair[peer] += falls_below(health.available, shares_of_peer_[peer], file_class.repair_below);
    }
  }
  // More placements than a byte counts are rare, so they go the long way.
  const bool fits_lanes = held_.size() <= 255;
  if (fits_lanes) look_at_lanes(file_class, health, exposure);
  else for (const std::uint32_t kind : tables_.lane_kinds) look_at_kind(kind, file_class, health, exposure);
  for (const std::uint32_t kind : tables_.other_kinds) look_at_kind(kind, file_class, health, exposure);
  for (const std::uint32_t peer : peers_) shares_of_peer_[peer] = 0;
}

void Examiner::collect(const Slab& slab, std::uint32_t place, const FileClass& file_class, Health& health) {
  const Row row = slab.row(place);
  held_.clear();
  shares_doubled_ = false;
  health.corrupt = 0;
  const bool has_others = row.has(has_extras);
  std::bitset<most_slots> available_shares, counted_shares, retained_shares;
  std::uint32_t sums = 0;
  std::array<std::uint16_t, most_slots> confidence_in;  // where several peers have a share
  if (has_others) confidence_in.fill(0);
  health.expected = 0;
  const auto take = [&](std::uint32_t share, std::uint32_t slot) {
    if (tables_.dead(slot)) return;
    if (is_corrupt(slot)) {
      health.corrupt++;
      return;
    }
    const std::uint8_t flags = tables_.flags_of(peer_of(slot));
    sums += sum_of(flags);
    if (has_others) {
      if (flags & retained) retained_shares[share] = true;
      if (flags & counted) counted_shares[share] = true;
      shares_doubled_ |= flags & available && available_shares[share];
      if (flags & available) available_shares[share] = true;
    }
    if (!(flags & available)) return;
    held_.push_back({share, peer_of(slot)});
    const std::uint16_t confidence = tables_.confidence_of(peer_of(slot));
    if (!has_others) {
      health.expected += confidence;
    } else if (confidence > confidence_in[share]) {
      health.expected += confidence - confidence_in[share];
      confidence_in[share] = confidence;
    }
  };
  const std::uint32_t slots = std::min(slab.slot_count, file_class.n);
  for (std::uint32_t share = 0; share < slots; share++) {
    if (const std::uint32_t slot = row.slot(share)) take(share, slot);
  }
  if (has_others) {
    const Extras& extras = slab.extras_of(place);
    for (std::uint32_t i = 0; i < extras.count(); i++) {
      if (extras.share(i) < file_class.n) take(extras.share(i), extras.slot(i));
    }
  }
  // A slot stands for one share number: without extras the sums need no sets.
  health.available = has_others ? static_cast<std::uint32_t>(available_shares.count()) : sums & 1023;
  health.counted = has_others ? static_cast<std::uint32_t>(counted_shares.count()) : sums >> 10 & 1023;
  health.retained = has_others ? static_cast<std::uint32_t>(retained_shares.count()) : sums >> 20;
}

/** All kinds that have lanes, for at most 255 placements. */
void Examiner::look_at_lanes(const FileClass& file_class, Health& health, Exposure* exposure) {
  std::uint64_t sums[8] = {};
  const std::size_t words = tables_.lane_groups * 2;
  for (const Held& held : held_) {
    const std::uint8_t* own = tables_.lanes_of(held.peer);
    for (std::size_t word = 0; word < words; word++) sums[word] += load64(own + 8 * word);
  }
  const auto* shares_of_lane = reinterpret_cast<const std::uint8_t*>(sums);
  const bool recoverable = health.available >= file_class.k;
  for (std::size_t group = 0; group < tables_.lane_kinds.size(); group++) {
    const std::uint32_t kind = tables_.lane_kinds[group];
    counts_.clear();
    for (std::uint32_t domain = 0; domain < tables_.domain_count[kind]; domain++) {
      const std::uint32_t shares = shares_of_lane[group * lanes_per_group + domain];
      if (shares == 0) continue;
      counts_.push_back(shares);
      if (exposure) note_domain(tables_.first_domain[kind] + domain, shares, file_class, health, *exposure);
    }
    health.tolerance[kind] = counts_.empty() ? no_tolerance : static_cast<std::uint16_t>(recoverable ? tolerance_of_counts(health.available - file_class.k) : 0);
  }
}

void Examiner::note_domain(std::uint32_t domain, std::uint32_t shares, const FileClass& file_class, const Health& health, Exposure& exposure) {
  exposure.domains_below_k[domain] += falls_below(health.available, shares, file_class.k);
  exposure.domains_below_repair[domain] += falls_below(health.available, shares, file_class.repair_below);
}

/** From `peers_` and `shares_of_peer_`: the tolerance to one kind of domain, and what each of its domains is exposed to. */
void Examiner::look_at_kind(std::uint32_t kind, const FileClass& file_class, Health& health, Exposure* exposure) {
  domains_.clear();
  for (const std::uint32_t peer : peers_) {
    const std::uint16_t domain = tables_.domain_of(peer, kind);
    if (domain == no_domain) continue;
    if (shares_of_domain_[domain] == 0) domains_.push_back(domain);
    shares_of_domain_[domain] += shares_of_peer_[peer];
  }
  counts_.clear();
  for (const std::uint32_t domain : domains_) {
    const std::uint32_t shares = shares_of_domain_[domain];
    counts_.push_back(shares);
    shares_of_domain_[domain] = 0;
    if (exposure) note_domain(tables_.first_domain[kind] + domain, shares, file_class, health, *exposure);
  }
  const bool recoverable = health.available >= file_class.k;
  const std::uint32_t tolerance = recoverable ? tolerance_of_counts(health.available - file_class.k) : 0;
  health.tolerance[kind] = domains_.empty() ? no_tolerance : static_cast<std::uint16_t>(tolerance);
}

/** The fewest of `counts_`, largest first, that add up to more than `spare`; all of them where they do not. */
std::uint32_t Examiner::tolerance_of_counts(std::uint32_t spare) {
  // Counts are small, so they are sorted by counting them.
  std::uint32_t largest = 0;
  for (const std::uint32_t shares : counts_) {
    if (shares >= holders_with_.size()) holders_with_.resize(shares + 1);
    holders_with_[shares]++;
    largest = std::max(largest, shares);
  }
  std::uint32_t taken = 0;
  std::uint32_t holders = 0;
  bool enough = false;
  for (std::uint32_t shares = largest; shares > 0; shares--) {
    const std::uint32_t with = holders_with_[shares];
    holders_with_[shares] = 0;
    if (enough || with == 0) continue;
    const std::uint32_t wanted = (spare - taken) / shares + 1;
    enough = wanted <= with;
    holders += enough ? wanted : with;
    taken += with * shares;
  }
  return holders;
}

/** The largest matching of shares to peers, by augmenting paths. */
std::uint32_t Examiner::matching(std::uint32_t available_shares) {
  holders_.resize(most_slots);
  matched_share_.resize(tables_.capacity);
  seen_in_round_.resize(tables_.capacity);
  // Taking what is free nearly always finds as many as there can be at all.
  std::bitset<most_slots> shares_matched;
  std::uint32_t found = 0;
  for (const Held& held : held_) {
    if (shares_matched[held.share] || matched_share_[held.peer] != 0) continue;
    shares_matched[held.share] = true;
    matched_share_[held.peer] = held.share + 1;
    found++;
  }
  for (const Held& held : held_) matched_share_[held.peer] = 0;
  if (found == std::min<std::size_t>(available_shares, peers_.size())) return found;
  for (const Held& held : held_) holders_[held.share].push_back(held.peer);
  std::uint32_t matched = 0;
  std::uint32_t round = 0;
  for (std::uint32_t share = 0; share < most_slots; share++) {
    if (!holders_[share].empty() && augment(share, ++round)) matched++;
  }
  for (const Held& held : held_) {
    holders_[held.share].clear();
    matched_share_[held.peer] = 0;
    seen_in_round_[held.peer] = 0;
  }
  return matched;
}

bool Examiner::augment(std::uint32_t share, std::uint32_t round) {
  for (const std::uint32_t peer : holders_[share]) {
    if (seen_in_round_[peer] == round) continue;
    seen_in_round_[peer] = round;
    if (matched_share_[peer] != 0 && !augment(matched_share_[peer] - 1, round)) continue;
    matched_share_[peer] = share + 1;
    return true;
  }
  return false;
}

}  // namespace meshward::share_map
