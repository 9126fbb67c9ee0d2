// The map against a model of maps and sets, with sweeps on other threads while events come in. Run by check.js, where the
// sanitizers watch; the rules themselves are compared with the plain TypeScript map (analyzer/files/share-map).

#include <array>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "check.h"
#include "share-map/map.h"
#include "share-map/snapshot.h"

using namespace meshward;
using namespace meshward::share_map;
using check::Random;

namespace {

constexpr std::uint32_t peer_count = 40;
constexpr std::uint32_t file_count = 1500;

using Index = std::array<std::uint8_t, storage_index_bytes>;

Index index_of(std::uint32_t file) {
  Index index{};
  Random random(file + 1);
  random.next();
  random.fill(index.data(), index.size());
  return index;
}

struct Model {
  std::map<std::uint32_t, std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t>> files;  // (share, peer) → generation

  std::size_t placements() const {
    std::size_t count = 0;
    for (const auto& [file, shares] : files) count += shares.size();
    return count;
  }
};

PeerColumns peers_of(Random& random, std::vector<std::uint32_t> domain_count = {3, 16, 200}) {
  PeerColumns columns;
  columns.domain_count = std::move(domain_count);
  for (std::uint32_t peer = 0; peer < peer_count; peer++) {
    columns.flags.push_back(random.below(5) > 0 ? available | counted | retained : static_cast<std::uint8_t>(random.below(8)));
    columns.confidences.push_back(random.below(4) > 0 ? full_confidence : static_cast<std::uint16_t>(random.below(full_confidence + 1)));
    for (const std::uint32_t domains : columns.domain_count) columns.domains.push_back(random.below(9) == 0 ? no_domain : static_cast<std::uint16_t>(random.below(domains)));
  }
  return columns;
}

void apply_some(ShareMap& map, Model& model, Random& random, std::uint32_t generation) {
  const auto peer = static_cast<std::uint32_t>(random.below(peer_count));
  const std::size_t count = 1 + random.below(200);
  std::vector<std::uint8_t> indexes, shares, kinds;
  for (std::size_t i = 0; i < count; i++) {
    const auto file = static_cast<std::uint32_t>(random.below(file_count));
    const auto share = static_cast<std::uint32_t>(random.below(random.below(20) == 0 ? 256 : 14));
    const bool is_lost = random.below(4) == 0;
    const Index index = index_of(file);
    indexes.insert(indexes.end(), index.begin(), index.end());
    shares.push_back(static_cast<std::uint8_t>(share));
    kinds.push_back(is_lost ? lost : stored);
    if (is_lost) model.files[file].erase({share, peer});
    else model.files[file][{share, peer}] = generation;
  }
  map.apply(peer, generation, count, indexes.data(), shares.data(), kinds.data());
}

void register_some(ShareMap& map, Random& random) {
  std::vector<std::uint8_t> indexes;
  std::vector<std::uint8_t> hashes(20 * ueb_hash_bytes);
  std::vector<double> sizes(20, 100);
  std::vector<std::uint32_t> classes;
  for (int i = 0; i < 20; i++) {
    const Index index = index_of(static_cast<std::uint32_t>(random.below(file_count)));
    indexes.insert(indexes.end(), index.begin(), index.end());
    classes.push_back(static_cast<std::uint32_t>(random.below(map.classes().count())));
    if (random.below(4) == 0) sizes[static_cast<std::size_t>(i)] = 1e12;  // a rare fact: its row's fields cannot hold it
  }
  map.register_files({20, indexes.data(), hashes.data(), sizes.data(), classes.data()}, time_origin_ms + 5);
}

void end_some(ShareMap& map, Model& model, Random& random, std::uint32_t generation) {
  const auto peer = static_cast<std::uint32_t>(random.below(peer_count));
  std::uint64_t forgotten = 0;
  for (auto& [file, shares] : model.files) {
    forgotten += std::erase_if(shares, [&](const auto& entry) { return entry.first.second == peer && entry.second != generation; });
  }
  CHECK(map.end_inventory(peer, generation) == forgotten);
}

void compare(ShareMap& map, const Model& model) {
  CHECK(map.placement_count() == model.placements());
  for (const auto& [file, shares] : model.files) {
    const RowNumber number = map.find(index_of(file).data());
    const auto found = number == no_row ? std::vector<PlacementFacts>{} : map.placements(number);
    CHECK(found.size() == shares.size());
    for (const PlacementFacts& placement : found) {
      const auto known = shares.find({placement.share, placement.peer});
      CHECK(known != shares.end() && known->second == placement.generation);
    }
  }
}

void events_beside_sweeps(std::uint64_t seed, int rounds) {
  Random random(seed);
  ShareMap map(random.next(), random.next(), 1e9, 50);
  for (const std::uint32_t n : {10u, 14u, 256u}) map.classes().add({3, n, 6, n, true});
  Model model;
  map.set_peers(peers_of(random));
  for (int round = 0; round < rounds; round++) {
    SweepSettings settings;
    settings.at_ms = time_origin_ms + round * 20;
    settings.settle_ms = 50;
    settings.what_if = random.below(4) == 0;
    settings.most_changed = random.below(3) == 0 ? 50 : ~0ull;
    const PeerColumns others = peers_of(random);
    const auto run = map.start_sweep(settings, 3, settings.what_if ? &others : nullptr);
    std::thread sweeping([run] { run->run(); });
    const auto generation = static_cast<std::uint32_t>(1 + round / 5 % 6);
    for (int i = 0; i < 15; i++) {
      apply_some(map, model, random, generation);
      if (i % 3 == 0) register_some(map, random);
      if (i % 5 == 0) map.reap(2);
      if (i % 7 == 0) {
        ChangedFiles changed;
        map.look(settings, 200, changed);
      }
    }
    end_some(map, model, random, generation);
    sweeping.join();
    run->result();
    map.finish_sweep(false);
    if (round % 3 == 0) map.set_peers(peers_of(random));
    ChangedPlacements placements;
    FileColumns files;
    map.take_placements(~std::size_t{0} >> 1, placements);
    map.take_files(files);
    compare(map, model);
  }
  while (map.reap(5)) {
  }
  compare(map, model);
}

/** Rows of any length, on any tables, through every kernel: what the scalar one finds, and nothing beyond the row is read. */
void kernels_agree(std::uint64_t seed, int rounds) {
  Random random(seed);
  for (int round = 0; round < rounds; round++) {
    Generations generations;
    generations.reserve_peer(peer_count - 1);
    const bool some_dead = random.below(2) == 0;
    for (std::uint32_t peer = 0; some_dead && peer < peer_count; peer++) generations.of(peer).dead = static_cast<std::uint8_t>(random.next() >> 40);
    std::vector<std::uint32_t> domain_count(random.below(5));
    for (auto& count : domain_count) count = static_cast<std::uint32_t>(1 + random.below(16));
    const PeerTables tables(peers_of(random, domain_count), peer_count, generations);
    const std::size_t slots = random.below(256);
    const check::GuardedBlock block(head_bytes + slot_bytes * slots, check::GuardedBlock::Against::page_after);
    const Row row(block.data());
    for (std::uint32_t share = 0; share < slots; share++) {
      const bool is_empty = random.below(6) == 0;
      const auto code = static_cast<std::uint32_t>(random.below(Generations::codes));
      row.set_slot(share, is_empty ? 0 : slot_of(static_cast<std::uint32_t>(random.below(random.below(5) + 1 == 5 ? 2 : peer_count)), code, false));
    }
    const CountInput input{row.before_slots(), static_cast<std::uint32_t>(slots), static_cast<std::uint32_t>(1 + random.below(slots + 1)),
                           static_cast<std::uint32_t>(random.below(slots + 2)), tables.entries.data(), tables.lanes};
    const std::size_t groups = tables.lane_groups == 4 ? 2 : tables.lane_groups - 1;
    Counts expected;
    count_shares_scalar.by_groups[groups][tables.some_dead](input, expected);
    for (const isa::Level level : isa::supported()) {
      isa::set(level);
      Counts found;
      kernels_of_current_level().by_groups[groups][tables.some_dead](input, found);
      CHECK(found.available == expected.available && found.counted == expected.counted && found.retained == expected.retained);
      CHECK(found.expected == expected.expected);
      CHECK(found.above_spare == expected.above_spare && found.above_repair == expected.above_repair);
      for (std::size_t group = 0; group < tables.lane_groups; group++) {
        CHECK(found.tolerance[group] == expected.tolerance[group] && found.domains[group] == expected.domains[group]);
      }
    }
  }
}

SweepPart& what_if(ShareMap& map, const PeerColumns& peers, std::shared_ptr<SweepRun>& run) {
  SweepSettings settings;
  settings.at_ms = time_origin_ms;
  settings.what_if = true;
  settings.most_changed = ~0ull;
  run = map.start_sweep(settings, 1, &peers);
  run->run();
  SweepPart& found = run->result();
  map.finish_sweep(false);
  return found;
}

/** Whole sweeps at every level find what the scalar one does, in every column. */
void sweeps_agree(std::uint64_t seed, int rounds) {
  Random random(seed);
  ShareMap map(random.next(), random.next(), 1e9, 50);
  for (const std::uint32_t n : {10u, 14u, 256u}) map.classes().add({3, n, 6, n, true});
  // All at once, so that every table has room for as many.
  map.set_peers(peers_of(random));
  Model model;
  for (int round = 0; round < rounds; round++) {
    for (int i = 0; i < 10; i++) {
      apply_some(map, model, random, 1 + round % 3);
      register_some(map, random);
    }
    end_some(map, model, random, 1 + round % 3);
    const PeerColumns peers = peers_of(random, {3, 16, 200, 5, 12, 7});
    std::shared_ptr<SweepRun> scalar_run, run;
    isa::set(isa::Level::scalar);
    const SweepPart& expected = what_if(map, peers, scalar_run);
    CHECK(expected.changed.count > 0);
    for (const isa::Level level : isa::supported()) {
      isa::set(level);
      const SweepPart& found = what_if(map, peers, run);
      CHECK(found.changed.storage_indexes == expected.changed.storage_indexes);
      CHECK(found.changed.figures == expected.changed.figures);
      CHECK(found.changed.tolerance == expected.changed.tolerance);
      CHECK(found.changed.expected == expected.changed.expected);
      CHECK(found.totals.expected_below_k == expected.totals.expected_below_k && found.totals.expected_below_repair == expected.totals.expected_below_repair);
      CHECK(found.exposure.peers_below_k == expected.exposure.peers_below_k && found.exposure.peers_below_repair == expected.exposure.peers_below_repair);
      CHECK(found.exposure.domains_below_k == expected.exposure.domains_below_k && found.exposure.domains_below_repair == expected.exposure.domains_below_repair);
    }
  }
}

/** A row is one side's at a time, all rows the map's alone, and a row where the sweep is not is never waited for. */
void rows_are_held_apart(std::uint64_t seed, std::uint32_t rounds) {
  SlabLock lock;
  lock.sweep(3);
  for (const std::uint32_t place : {2u, 4u}) {
    lock.lock(place);
    lock.unlock();
  }
  lock.end_sweep();

  std::array<std::uint32_t, rows_per_slab> changes{};
  std::uint32_t changes_of_all = 0;
  std::thread sweep([&] {
    for (std::uint32_t round = 0; round < rounds; round++) {
      for (std::uint32_t place = 0; place < rows_per_slab; place++) {
        lock.sweep(place);
        const std::uint32_t before = changes_of_all;
        changes[place]++;
        CHECK(changes_of_all == before);
      }
      lock.end_sweep();
    }
  });
  Random random(seed);
  for (std::uint32_t i = 0; i < rounds * rows_per_slab; i++) {
    const auto place = static_cast<std::uint32_t>(random.next() % (rows_per_slab + 1));
    lock.lock(place);
    if (place == SlabLock::all_rows) changes_of_all++;
    else changes[place]++;
    lock.unlock();
  }
  sweep.join();
  std::uint32_t total = changes_of_all;
  for (const std::uint32_t count : changes) total += count;
  CHECK(total == 2 * rounds * rows_per_slab);
}

void snapshots_keep_everything(std::uint64_t seed) {
  Random random(seed);
  ShareMap map(1, 2, 1e9, 50);
  for (const std::uint32_t n : {10u, 14u, 256u}) map.classes().add({3, n, 6, n, true});
  Model model;
  const PeerColumns peers = peers_of(random);
  map.set_peers(peers);
  for (int i = 0; i < 60; i++) {
    apply_some(map, model, random, 1);
    register_some(map, random);
  }
  map.reap(1000);
  ChangedPlacements placements;
  FileColumns files;
  map.take_placements(~std::size_t{0} >> 1, placements);
  map.take_files(files);
  ShareMap copy(3, 4, 1e9, 50);
  for (std::uint32_t part = 0;; part++) {
    std::vector<std::uint8_t> bytes(Snapshot::part_bytes(map, part));
    if (bytes.empty()) break;
    Snapshot::write_part(map, part, bytes);
    Snapshot::read_part(copy, bytes);
  }
  CHECK(copy.file_count() == map.file_count());
  compare(copy, model);
  std::shared_ptr<SweepRun> run, copied_run;
  const SweepPart& swept = what_if(map, peers, run);
  SweepSettings settings;
  settings.at_ms = time_origin_ms;
  settings.most_changed = ~0ull;
  copied_run = copy.start_sweep(settings, 1, nullptr);
  copied_run->run();
  const SweepPart& copied = copied_run->result();
  copy.finish_sweep(true);
  CHECK(copied.changed.expected == swept.changed.expected && copied.changed.figures == swept.changed.figures);
}

}  // namespace

int main(int count, char** values) {
  const bool quick = count > 1 && std::string(values[1]) == "quick";
  for (const isa::Level level : isa::supported()) {
    isa::set(level);
    events_beside_sweeps(static_cast<std::uint64_t>(level) + 7, quick ? 6 : 60);
  }
  kernels_agree(3, quick ? 300 : 20'000);
  sweeps_agree(4, quick ? 2 : 20);
  rows_are_held_apart(6, quick ? 20 : 1000);
  snapshots_keep_everything(5);
  std::puts("share map: every check holds");
}
