#include "share-map/snapshot.h"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string>

#include "share-map/border.h"

namespace meshward::share_map {
namespace {

constexpr std::uint64_t magic = 0x3250414d5257534dull;
constexpr std::uint32_t slabs_each = 32;
constexpr double most_files_reserved = 1u << 24;
constexpr std::uint32_t lasting_flags = registered | deleted | settled | reported | was_settling | has_extras | has_rare | structure_known | plain | vacant;

struct PartHead {
  std::uint64_t magic;
  std::uint32_t part;
  std::uint32_t slabs;
};
struct MapHead {
  std::uint32_t classes;
  std::uint32_t peers;
  std::uint64_t files;
  // Of the columns of peers:
  std::uint32_t flags;
  std::uint32_t kinds;
  std::uint32_t confidences;
  std::uint32_t unused;
};
// Entries of their own, since what stands in memory has gaps that nobody has written.
struct ClassEntry {
  std::uint32_t k;
  std::uint32_t n;
  std::uint32_t repair_below;
  std::uint32_t policy;
  std::uint32_t by_owner;
};
struct PeerEntry {
  std::array<std::uint32_t, Generations::codes> generation;
  std::array<std::uint32_t, Generations::codes> placements;
};
struct SlabHead {
  std::uint32_t slots;
  std::uint32_t used;
  std::uint32_t extras;
  std::uint32_t rare;
};
struct ExtraEntry {
  std::uint32_t place;
  std::uint32_t share;
  std::uint32_t slot;
};
struct RareEntry {
  std::uint32_t place;
  std::uint32_t file_class;
  double size_bytes;
  double registered_at_ms;
};

/** Four chains side by side, so that none waits for its own multiplication. Finds damage, not malice. */
std::uint64_t checksum(const std::uint8_t* bytes, std::size_t length) {
  constexpr std::uint64_t factor = 0x9e3779b97f4a7c15ull;
  std::uint64_t chains[4] = {length, length ^ factor, ~length, factor};
  std::size_t at = 0;
  for (; at + 32 <= length; at += 32) {
    for (std::size_t i = 0; i < 4; i++) {
      chains[i] = (chains[i] ^ load64(bytes + at + 8 * i)) * factor;
      chains[i] ^= chains[i] >> 32;
    }
  }
  for (; at < length; at++) chains[0] = (chains[0] ^ bytes[at]) * factor;
  std::uint64_t sum = 0;
  for (const std::uint64_t chain : chains) sum = (sum ^ chain ^ chain >> 29) * factor;
  return sum ^ sum >> 32;
}

void refuse_unless(bool fine, const char* why) {
  if (!fine) throw std::invalid_argument(std::string("not a snapshot of a share map: ") + why);
}

std::uint32_t extras_in(const Slab& slab) {
  std::uint32_t count = 0;
  if (slab.extras) for (const Extras& extras : *slab.extras) count += extras.count();
  return count;
}

std::uint32_t rare_in(const Slab& slab) { return slab.rare ? static_cast<std::uint32_t>(slab.rare->size()) : 0; }

std::size_t bytes_of(const Slab& slab) {
  return sizeof(SlabHead) + static_cast<std::size_t>(slab.used) * slab.row_bytes + extras_in(slab) * sizeof(ExtraEntry) + rare_in(slab) * sizeof(RareEntry);
}

std::size_t bytes_of(const PeerColumns& peers) {
  return peers.flags.size() + 2 * peers.domains.size() + 4 * peers.domain_count.size() + 2 * peers.confidences.size();
}

class Writer {
 public:
  explicit Writer(std::span<std::uint8_t> to) : to_(to) {}
  template <class T>
  void put(const T& value) { put_bytes(&value, sizeof(T)); }
  void put_bytes(const void* from, std::size_t count) {
    if (count > to_.size() - at_) throw std::length_error("a part of a snapshot is larger than was said");
    if (count > 0) std::memcpy(to_.data() + at_, from, count);
    at_ += count;
  }
  template <class T>
  void put_all(const std::vector<T>& values) { put_bytes(values.data(), values.size() * sizeof(T)); }

 private:
  std::span<std::uint8_t> to_;
  std::size_t at_ = 0;
};

void write_slab(const Slab& slab, Writer& writer) {
  writer.put(SlabHead{slab.slot_count, slab.used, extras_in(slab), rare_in(slab)});
  writer.put_bytes(slab.bytes.get(), static_cast<std::size_t>(slab.used) * slab.row_bytes);
  for (std::uint32_t place = 0; slab.extras && place < rows_per_slab; place++) {
    const Extras& extras = slab.extras_of(place);
    for (std::uint32_t i = 0; i < extras.count(); i++) writer.put(ExtraEntry{place, extras.share(i), extras.slot(i)});
  }
  if (!slab.rare) return;
  for (const auto& [place, facts] : *slab.rare) writer.put(RareEntry{place, facts.file_class, facts.size_bytes, facts.registered_at_ms});
}

}  // namespace

class Snapshot::Reader {
 public:
  explicit Reader(std::span<const std::uint8_t> from) : from_(from) {}
  template <class T>
  T take() {
    T value;
    std::memcpy(&value, take_bytes(sizeof(T)), sizeof(T));
    return value;
  }
  const std::uint8_t* take_bytes(std::size_t count) {
    refuse_unless(count <= from_.size() - at_, "it is cut off");
    at_ += count;
    return from_.data() + at_ - count;
  }
  template <class T>
  std::vector<T> take_all(std::size_t count) {
    refuse_unless(count <= left() / sizeof(T), "it is cut off");
    std::vector<T> values(count);
    if (count > 0) std::memcpy(values.data(), take_bytes(count * sizeof(T)), count * sizeof(T));
    return values;
  }
  std::size_t left() const { return from_.size() - at_; }

 private:
  std::span<const std::uint8_t> from_;
  std::size_t at_ = 0;
};

std::size_t Snapshot::part_bytes(ShareMap& map, std::uint32_t part) {
  if (map.sweep_) throw std::logic_error("a sweep is under way");
  if (part == 0) map.reap(map.store_.slabs().size() + 1);
  if (!map.placement_log_.empty() || !map.changed_files_.empty()) throw std::logic_error("the map has changed: take its changes, then begin the snapshot again");
  const std::size_t ends = sizeof(PartHead) + sizeof(std::uint64_t);
  if (part == 0) return ends + sizeof(MapHead) + map.classes_.count() * sizeof(ClassEntry) + map.generations_.peer_count() * sizeof(PeerEntry) + bytes_of(map.peer_columns_);
  const std::size_t count = map.store_.slabs().size();
  const std::size_t begin = static_cast<std::size_t>(part - 1) * slabs_each;
  if (begin >= count) return 0;
  std::size_t total = ends;
  for (std::size_t i = begin; i < std::min(count, begin + slabs_each); i++) total += bytes_of(*map.store_.slabs()[i]);
  return total;
}

void Snapshot::write_part(ShareMap& map, std::uint32_t part, std::span<std::uint8_t> to) {
  if (to.empty()) throw std::logic_error("a snapshot has no such part");
  Writer writer(to);
  const auto& slabs = map.store_.slabs();
  const std::size_t begin = part == 0 ? 0 : static_cast<std::size_t>(part - 1) * slabs_each;
  const std::size_t end = part == 0 ? 0 : std::min(slabs.size(), begin + slabs_each);
  writer.put(PartHead{magic, part, static_cast<std::uint32_t>(end - begin)});
  if (part == 0) {
    const PeerColumns& peers = map.peer_columns_;
    writer.put(MapHead{map.classes_.count(), map.generations_.peer_count(), map.file_count_, static_cast<std::uint32_t>(peers.flags.size()),
                       static_cast<std::uint32_t>(peers.domain_count.size()), static_cast<std::uint32_t>(peers.confidences.size()), 0});
    for (std::uint32_t i = 0; i < map.classes_.count(); i++) {
      const FileClass& file_class = map.classes_[i];
      writer.put(ClassEntry{file_class.k, file_class.n, file_class.repair_below, file_class.policy, file_class.by_owner});
    }
    for (std::uint32_t peer = 0; peer < map.generations_.peer_count(); peer++) {
      const Generations::OfPeer& own = map.generations_.of(peer);
      writer.put(PeerEntry{own.generation, own.placements});
    }
    writer.put_all(peers.flags);
    writer.put_all(peers.domains);
    writer.put_all(peers.domain_count);
    writer.put_all(peers.confidences);
  }
  for (std::size_t i = begin; i < end; i++) write_slab(*slabs[i], writer);
  seal(to);
}

void Snapshot::seal(std::span<std::uint8_t> part) {
  const std::size_t length = part.size() - sizeof(std::uint64_t);
  store64(part.data() + length, checksum(part.data(), length));
}

void Snapshot::read_part(ShareMap& map, std::span<const std::uint8_t> from) {
  if (map.sweep_) throw std::logic_error("a sweep is under way");
  refuse_unless(from.size() > sizeof(PartHead) + sizeof(std::uint64_t), "a part is too short");
  const std::size_t length = from.size() - sizeof(std::uint64_t);
  refuse_unless(load64(from.data() + length) == checksum(from.data(), length), "its checksum is another");
  Reader reader(from.first(length));
  const auto head = reader.take<PartHead>();
  refuse_unless(head.magic == magic, "it begins with something else");
  if (head.part == 0) read_head(map, reader);
  else refuse_unless((head.part - 1) * static_cast<std::size_t>(slabs_each) == map.store_.slabs().size(), "a part is missing or out of order");
  for (std::uint32_t i = 0; i < head.slabs; i++) read_slab(map, reader);
  refuse_unless(reader.left() == 0, "a part is too long");
}

void Snapshot::read_head(ShareMap& map, Reader& reader) {
  refuse_unless(map.file_count_ == 0 && map.classes_.count() == 0 && map.store_.slabs().empty(), "the map is not a new one");
  const auto head = reader.take<MapHead>();
  refuse_unless(head.classes <= FileClasses::most && head.peers <= most_peers, "it has too many classes or peers");
  for (std::uint32_t i = 0; i < head.classes; i++) {
    const auto entry = reader.take<ClassEntry>();
    map.classes_.add(checked_class({entry.k, entry.n, entry.repair_below, entry.policy, entry.by_owner != 0}));
  }
  for (std::uint32_t peer = 0; peer < head.peers; peer++) {
    map.generations_.reserve_peer(peer);
    const auto own = reader.take<PeerEntry>();
    map.generations_.of(peer).generation = own.generation;
    map.generations_.of(peer).placements = own.placements;
    for (const std::uint32_t count : own.placements) map.placement_count_ += count;
  }
  PeerColumns peers;
  peers.flags = reader.take_all<std::uint8_t>(head.flags);
  refuse_unless(head.kinds <= most_kinds, "it has too many kinds of domains");
  peers.domains = reader.take_all<std::uint16_t>(static_cast<std::size_t>(head.flags) * head.kinds);
  peers.domain_count = reader.take_all<std::uint32_t>(head.kinds);
  peers.confidences = reader.take_all<std::uint16_t>(head.confidences);
  map.set_peers(checked_peers({peers.flags, peers.domains, peers.domain_count, peers.confidences}));
  const double reserved = std::min({static_cast<double>(head.files), std::max(0.0, map.most_files_), most_files_reserved});
  map.index_.reserve(static_cast<std::uint64_t>(reserved));
}

void Snapshot::read_slab(ShareMap& map, Reader& reader) {
  const auto head = reader.take<SlabHead>();
  refuse_unless(head.slots <= most_slots && head.used <= rows_per_slab && map.store_.slabs().size() < most_slabs, "a slab is malformed");
  auto owned = std::make_unique<Slab>(head.slots);
  Slab& slab = *owned;
  const std::size_t bytes = static_cast<std::size_t>(head.used) * slab.row_bytes;
  std::memcpy(slab.bytes.get(), reader.take_bytes(bytes), bytes);
  for (std::uint32_t i = 0; i < head.extras; i++) {
    const auto entry = reader.take<ExtraEntry>();
    refuse_unless(entry.place < head.used && entry.share < most_slots && entry.slot < 1u << 24 && slab.row(entry.place).has(has_extras), "a placement is malformed");
    if (!slab.extras) slab.extras = std::make_unique<std::array<Extras, rows_per_slab>>();
    slab.extras_of(entry.place).add(entry.share, entry.slot);
  }
  for (std::uint32_t i = 0; i < head.rare; i++) {
    const auto entry = reader.take<RareEntry>();
    refuse_unless(entry.place < head.used && slab.row(entry.place).has(has_rare), "a file's facts are malformed");
    if (!slab.rare) slab.rare = std::make_unique<std::unordered_map<std::uint32_t, FileFacts>>();
    (*slab.rare)[entry.place] = {entry.size_bytes, entry.registered_at_ms, entry.file_class};
  }
  const auto first = static_cast<RowNumber>(map.store_.slabs().size() * rows_per_slab);
  map.store_.adopt(std::move(owned));
  // A row counts when it has been checked: what stands behind one that is malformed is never looked at.
  constexpr std::uint32_t ahead = 12;
  for (std::uint32_t place = 0; place < head.used; place++) {
    if (place + ahead < head.used) map.index_.prefetch(map.index_.hash(slab.row(place + ahead).storage_index()));
    adopt_row(map, slab, first + place);
    slab.used = place + 1;
  }
  map.store_.offer(first);
}

void Snapshot::adopt_row(ShareMap& map, Slab& slab, RowNumber number) {
  const std::uint32_t place = number % rows_per_slab;
  const Row row = slab.row(place);
  row.clear(((1u << flag_bits) - 1) & ~lasting_flags);
  if (row.has(vacant)) {
    refuse_unless(!row.has(has_extras | has_rare), "an empty row is not empty");
    map.store_.release(number);
    return;
  }
  row.set(map.parity_);
  refuse_unless(row.has(has_extras) == (slab.extras && slab.extras_of(place).count() > 0), "placements are missing");
  refuse_unless(!row.has(has_rare) || (slab.rare && slab.rare->contains(place)), "a file's facts are missing");
  const std::uint32_t file_class = row.has(has_rare) ? slab.rare->at(place).file_class : row.class_field();
  refuse_unless(!row.has(registered) || file_class < map.classes_.count(), "a file's class is not known");
  // Peer 0 is the first: its slots begin at 1 << 4.
  constexpr std::uint32_t first_slot = 1u << 4;
  const std::uint32_t known_slots = map.generations_.peer_count() << 4;
  bool is_fine = true;
  for (std::uint32_t share = 0; share < slab.slot_count; share++) {
    const std::uint32_t slot = row.slot(share);
    is_fine &= slot == 0 || slot - first_slot < known_slots;
  }
  if (row.has(has_extras)) {
    for (std::uint32_t i = 0; i < slab.extras_of(place).count(); i++) {
      const std::uint32_t slot = slab.extras_of(place).slot(i);
      is_fine &= slot - first_slot < known_slots;
    }
  }
  refuse_unless(is_fine, "a placement's peer is not known");
  refuse_unless(map.index_.insert_new(map.store_, map.index_.hash(row.storage_index()), number), "a file stands in it twice");
  map.file_count_++;
  if (!ShareMap::is_unregistered(row.flags())) return;
  map.unregistered_count_++;
  map.count_unregistered(slab, place, 1);
}

}  // namespace meshward::share_map
