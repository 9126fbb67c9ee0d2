#pragma once
// What the share map's fuzz targets have in common: input as numbers, and a use of everything that may be asked of a map.

#include <algorithm>
#include <array>
#include <cstdlib>
#include <stdexcept>
#include <vector>

#include "isa/isa.h"
#include "share-map/border.h"
#include "share-map/snapshot.h"

namespace meshward::share_map::fuzz {

/** Zeros behind the last byte. */
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
  bool is_empty() const { return at_ >= size_; }
  std::uint8_t byte() { return at_ < size_ ? data_[at_++] : std::uint8_t{0}; }
  std::size_t below(std::size_t end) { return byte() % end; }
  /** Exactly so long, for AddressSanitizer to watch its ends. */
  template <class T, class Make>
  std::vector<T> column(std::size_t length, Make make) {
    std::vector<T> column(length);
    for (T& value : column) value = static_cast<T>(make());
    return column;
  }
  std::vector<std::uint8_t> bytes(std::size_t length) {
    return column<std::uint8_t>(length, [this] { return byte(); });
  }

 private:
  const std::uint8_t* data_;
  std::size_t size_;
  std::size_t at_ = 0;
};

constexpr std::uint32_t known_files = 32;

inline std::array<std::uint8_t, storage_index_bytes> index_of(std::uint32_t file) {
  std::array<std::uint8_t, storage_index_bytes> index{};
  for (std::size_t i = 0; i < index.size(); i++) index[i] = static_cast<std::uint8_t>(file % known_files * 37 + i % 3);
  return index;
}

inline SweepSettings settings_of(Input& input) {
  SweepSettings settings;
  settings.at_ms = time_origin_ms + input.byte();
  settings.settle_ms = 20;
  settings.most_changed = input.below(4) == 0 ? input.below(5) : ~0ull;
  return settings;
}

/** A what-if sweep with the map's own peers, at the level that is set. */
inline std::shared_ptr<SweepRun> swept(ShareMap& map, SweepSettings settings, const PeerColumns& peers) {
  settings.what_if = true;
  auto run = map.start_sweep(settings, 1, &peers);
  run->run();
  map.finish_sweep(false);
  return run;
}

/** Two sweeps' tables may have room for different counts of peers; those that have placements are in both. */
inline bool same_counts(const std::vector<std::uint32_t>& a, const std::vector<std::uint32_t>& b) {
  return std::equal(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(std::min(a.size(), b.size())), b.begin());
}

inline void sweep_at_two_levels(ShareMap& map, const SweepSettings& settings, const PeerColumns& peers, isa::Level level) {
  isa::set(isa::Level::scalar);
  const auto scalar = swept(map, settings, peers);
  isa::set(level);
  const auto other = swept(map, settings, peers);
  const SweepPart& expected = scalar->result();
  const SweepPart& found = other->result();
  const bool same = found.changed.storage_indexes == expected.changed.storage_indexes && found.changed.figures == expected.changed.figures &&
                    found.changed.tolerance == expected.changed.tolerance && found.changed.expected == expected.changed.expected &&
                    same_counts(found.exposure.peers_below_k, expected.exposure.peers_below_k) &&
                    found.exposure.domains_below_repair == expected.exposure.domains_below_repair;
  if (!same) std::abort();
}

inline void take_all(ShareMap& map) {
  ChangedPlacements placements;
  FileColumns files;
  while (map.take_placements(1000, placements) > 0) {
  }
  map.take_files(files);
}

/** Every question, and every way to change a map, with peers that exist and that do not yet. */
inline void use_everything(ShareMap& map, Input& input) {
  const std::uint32_t peers = map.tables().capacity;
  ChangedFiles changed;
  map.look(settings_of(input), 100, changed);
  auto run = map.start_sweep(settings_of(input), 1, nullptr);
  run->run();
  run->result();
  map.finish_sweep(true);
  for (std::uint32_t file = 0; file < known_files; file++) {
    const auto index = index_of(file);
    const auto share = input.byte();
    const auto kind = static_cast<std::uint8_t>(input.below(5));
    if (input.below(3) == 0) map.apply(input.below(2) == 0 ? input.byte() : peers + 1, input.byte(), 1, index.data(), &share, &kind);
    if (input.below(7) == 0) map.delete_files(1, index.data());
    const RowNumber number = map.find(index.data());
    Health health;
    if (number == no_row) continue;
    map.placements(number);
    map.facts(number);
    map.is_known(number);
    if (map.health(number, health)) map.is_settling(number, health, 0);
  }
  map.end_inventory(input.byte(), input.byte());
  map.reap(20);
  map.bytes();
  take_all(map);
}

}  // namespace meshward::share_map::fuzz
