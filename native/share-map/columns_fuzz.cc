// The share map's border for columns: any registrations, events, placements and peers, of any length and value, are refused or
// applied; the counts stay what is there, every level finds what the scalar one does, and a snapshot gives the same map again.

#include "share-map/fuzz_uses.h"

using namespace meshward;
using namespace meshward::share_map;
using namespace meshward::share_map::fuzz;

namespace {

constexpr std::size_t most_entries = 40;
constexpr std::size_t most_operations = 60;

struct Session {
  Input input;
  isa::Level level;
  ShareMap map{1, 2, known_files - 6, 20};
  PeerColumns peers{};

  explicit Session(Input of) : input(of), level(isa::supported()[input.below(isa::supported().size())]) {}

  /** Now and then a column of the wrong length. */
  std::size_t length(std::size_t count) { return input.below(32) == 0 ? count + input.below(3) : count; }

  std::vector<std::uint8_t> indexes(std::size_t count) {
    std::vector<std::uint8_t> bytes;
    for (std::size_t i = 0; i < count; i++) {
      const auto index = index_of(input.byte());
      bytes.insert(bytes.end(), index.begin(), index.end());
    }
    bytes.resize(length(bytes.size()));
    bytes.shrink_to_fit();
    return bytes;
  }
  std::vector<std::uint8_t> small(std::size_t count) { return input.bytes(length(count)); }
  std::uint32_t peer() {
    const std::uint32_t peer = input.byte();
    return peer < 250 ? peer : most_peers + peer - 250;
  }

  void add_class() {
    const FileClass file_class = checked_class({input.byte() + 1u, input.byte() + 1u, input.byte() * 2u, input.byte(), input.below(2) == 0});
    if (map.classes().count() < 100) map.classes().add(file_class);
  }

  void register_or_load(bool loads) {
    const std::size_t count = input.below(8);
    const auto storage_indexes = indexes(count);
    const auto hashes = std::vector<std::uint8_t>(length(count * ueb_hash_bytes), input.byte());
    const auto sizes = input.column<double>(length(count), [&] { return (input.byte() - 3.0) * 1e9; });
    const auto classes = input.column<std::uint32_t>(length(count), [&] { return input.below(8) == 0 ? no_class - input.below(2) : input.below(5); });
    const RegistrationColumns files = checked_registrations({storage_indexes, hashes, sizes, classes}, map.classes().count(), loads);
    const auto times = input.column<double>(count, [&] { return time_origin_ms + (input.byte() - 5) * 1e9; });
    const auto deleted = input.bytes(count);
    if (loads) map.load_files(files, times.data(), deleted.data());
    else map.register_files(files, time_origin_ms + input.byte());
  }

  void apply() {
    const std::size_t count = input.below(most_entries);
    const std::uint32_t from = peer();
    const std::uint32_t generation = input.byte();
    const auto storage_indexes = indexes(count);
    const auto shares = small(count);
    const auto kinds = input.column<std::uint8_t>(length(count), [&] { return input.below(6); });
    map.apply(from, generation, checked_events(from, storage_indexes, shares, kinds), storage_indexes.data(), shares.data(), kinds.data());
  }

  void load_placements() {
    const std::size_t count = input.below(most_entries);
    const auto storage_indexes = indexes(count);
    const auto shares = small(count);
    const auto from = input.column<std::uint32_t>(length(count), [&] { return peer(); });
    const auto states = input.column<std::uint8_t>(length(count), [&] { return input.below(16) == 0 ? input.below(5) : 1 + input.below(3); });
    const auto generations = input.column<std::uint32_t>(length(count), [&] { return input.byte(); });
    map.load_placements(checked_placements({storage_indexes, shares, from, states, generations}));
  }

  void set_peers() {
    const std::size_t count = input.byte();
    const auto domain_counts = input.column<std::uint32_t>(input.below(20), [&] { return input.below(16) == 0 ? 70'000u : input.below(40); });
    const auto flags = small(count);
    const std::size_t kinds = domain_counts.size();
    const std::uint8_t first = input.byte();
    std::size_t at = 0;
    const auto domains = input.column<std::uint16_t>(length(count * kinds), [&] {
      const std::uint32_t limit = kinds == 0 ? 0 : domain_counts[at % kinds];
      const std::size_t domain = first * ++at;
      return limit == 0 || domain % 11 == 0 ? no_domain : domain % (limit + (first == 255));
    });
    const auto confidences = input.column<std::uint16_t>(input.below(2) == 0 ? 0 : length(count), [&] { return input.byte() * 4 - (input.below(16) == 0 ? 0 : 20); });
    peers = checked_peers({flags, domains, domain_counts, confidences});
    map.set_peers(peers);
  }

  void copy_through_snapshot() {
    map.reap(100);
    take_all(map);
    ShareMap copy(3, 4, known_files, 20);
    for (std::uint32_t part = 0;; part++) {
      std::vector<std::uint8_t> bytes(Snapshot::part_bytes(map, part));
      if (bytes.empty()) break;
      Snapshot::write_part(map, part, bytes);
      Snapshot::read_part(copy, bytes);
    }
    if (copy.file_count() != map.file_count() || copy.placement_count() != map.placement_count()) std::abort();
  }

  void run_one() {
    switch (input.below(13)) {
      case 0: return add_class();
      case 1: return register_or_load(false);
      case 2: return register_or_load(true);
      case 3: return apply();
      case 4: return load_placements();
      case 5: return set_peers();
      case 6: {
        const auto storage_indexes = indexes(input.below(4));
        return map.delete_files(count_files(storage_indexes), storage_indexes.data());
      }
      case 7: {
        const auto storage_indexes = indexes(input.below(4));
        return map.mark_settled(count_files(storage_indexes), storage_indexes.data());
      }
      case 8: map.end_inventory(input.byte(), input.byte()); return;
      case 9: map.reap(input.below(3)); return;
      case 10: {
        ChangedFiles changed;
        map.look(settings_of(input), input.byte(), changed);
        return;
      }
      case 11: return sweep_at_two_levels(map, settings_of(input), peers, level);
      default: return copy_through_snapshot();
    }
  }

  void compare_counts() {
    std::uint64_t placements = 0;
    std::size_t files = 0;
    for (std::uint32_t file = 0; file < known_files; file++) {
      const RowNumber number = map.find(index_of(file).data());
      if (number == no_row) continue;
      files++;
      placements += map.placements(number).size();
    }
    if (files != map.file_count() || placements != map.placement_count()) std::abort();
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Session session(Input(data, size));
  session.map.classes().add({3, 10, 6, 0, true});
  for (std::size_t i = 0; i < most_operations && !session.input.is_empty(); i++) {
    try {
      session.run_one();
    } catch (const std::out_of_range&) {
    }
    session.compare_counts();
  }
  use_everything(session.map, session.input);
  return 0;
}
