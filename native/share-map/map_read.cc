// What is asked of the share map.
#include <algorithm>
#include <stdexcept>
#include <string>
#include <unordered_map>

#include "share-map/map.h"

namespace meshward::share_map {

void ShareMap::set_peers(PeerColumns columns) {
  peer_columns_ = std::move(columns);
  peers_revision_++;
  tables_.reset();
}

const PeerTables& ShareMap::tables() {
  if (!tables_ || tables_->capacity < generations_.peer_count()) {
    // Room to grow, so that peers which appear while a sweep runs are in its tables.
    const std::size_t peers = std::max<std::size_t>(generations_.peer_count(), peer_columns_.flags.size());
    const std::size_t capacity = std::min<std::size_t>(most_peers, peers + peers / 4 + 256);
    tables_ = std::make_shared<const PeerTables>(peer_columns_, static_cast<std::uint32_t>(capacity), generations_);
    examiner_.reset();
  }
  return *tables_;
}

bool ShareMap::health(RowNumber number, Health& health) {
  const PeerTables& tables = this->tables();
  if (!examiner_) examiner_ = std::make_unique<Examiner>(tables, kernels_of_current_level());
  Slab& slab = store_.slab_of(number);
  const Guard guard(*this, number);
  const std::uint32_t place = number % rows_per_slab;
  if (slab.row(place).has(deleted) || !slab.row(place).has(registered)) return false;
  examiner_->examine(slab, place, classes_[slab.facts(place).file_class], health, nullptr);
  return true;
}

bool ShareMap::is_settling(RowNumber number, const Health& health, double at_ms) {
  const FileFacts known = facts(number);
  const Guard guard(*this, number);
  return !store_.row_of(number).has(settled) && health.counted < classes_[known.file_class].repair_below && at_ms - known.registered_at_ms < settle_ms_;
}

FileFacts ShareMap::facts(RowNumber number) {
  Slab& slab = store_.slab_of(number);
  const Guard guard(*this, number);
  return slab.facts(number % rows_per_slab);
}

std::vector<PlacementFacts> ShareMap::placements(RowNumber number) {
  Slab& slab = store_.slab_of(number);
  const std::uint32_t place = number % rows_per_slab;
  const Guard guard(*this, number);
  const Row row = slab.row(place);
  std::vector<PlacementFacts> found;
  const auto take = [&](std::uint32_t share, std::uint32_t slot) {
    if (slot != 0 && !generations_.is_dead(slot)) found.push_back({share, peer_of(slot), is_corrupt(slot), generations_.generation_of(slot)});
  };
  for (std::uint32_t share = 0; share < slab.slot_count; share++) take(share, row.slot(share));
  if (row.has(has_extras)) {
    const Extras& extras = slab.extras_of(place);
    for (std::uint32_t i = 0; i < extras.count(); i++) take(extras.share(i), extras.slot(i));
  }
  return found;
}

bool ShareMap::is_known(RowNumber number) {
  if (dead_placements_ == 0) return true;
  return flags_of(number) & (registered | deleted) || !placements(number).empty();
}

std::size_t ShareMap::look(const SweepSettings& settings, std::size_t most, ChangedFiles& changed) {
  const std::size_t looked = std::min(most, touched_.size());
  if (looked == 0) return 0;
  SweepPart part(tables(), classes_, settings);
  for (std::size_t i = 0; i < looked; i++) {
    const RowNumber number = touched_[i];
    Slab& slab = store_.slab_of(number);
    const Guard guard(*this, number);
    const Row row = store_.row_of(number);
    // A row that moved is in the list again where it is now.
    if (row.has(vacant) || !row.has(touched)) continue;
    row.clear(touched);
    if (row.has(registered) && !row.has(deleted)) part.look_at(slab, number % rows_per_slab);
  }
  touched_.erase(touched_.begin(), touched_.begin() + static_cast<std::ptrdiff_t>(looked));
  if (touched_.empty()) touched_.shrink_to_fit();
  changed = std::move(part.changed);
  return touched_.size();
}

std::shared_ptr<SweepRun> ShareMap::start_sweep(const SweepSettings& settings, std::uint32_t threads, const PeerColumns* other_peers) {
  if (sweep_) throw std::logic_error("a sweep is under way");
  const PeerTables& current = tables();
  std::shared_ptr<const PeerTables> seen = tables_;
  if (other_peers) seen = std::make_shared<const PeerTables>(*other_peers, current.capacity, generations_);
  const std::uint32_t parity = parity_ ^ sweep_parity;
  sweep_ = std::make_shared<SweepRun>(store_.slabs(), classes_, std::move(seen), settings, threads, parity, peers_revision_);
  parity_ = parity;
  if (!settings.what_if) touched_ = std::vector<RowNumber>();
  return sweep_;
}

void ShareMap::finish_sweep(bool judged_all) {
  if (judged_all) judged_revision_ = sweep_->peers_revision();
  sweep_.reset();
  release_dead_codes();
}

void ShareMap::cancel_sweep() {
  if (!sweep_) return;
  sweep_->cancel();
  sweep_->wait();
}

std::size_t ShareMap::take_placements(std::size_t most_rows, ChangedPlacements& changed) {
  const std::size_t taken = std::min(most_rows, placement_log_.size());
  const auto begin = placement_log_.end() - static_cast<std::ptrdiff_t>(taken);
  // A file that is gone may have come and gone before: all its entries are told under one of its rows.
  std::unordered_map<std::string, RowNumber> gone;
  for (auto entry = begin; entry != placement_log_.end(); ++entry) {
    RowNumber number = where_now(static_cast<RowNumber>(*entry >> 28));
    const Row row = store_.row_of(number);
    if (flags_of(number) & vacant) number = gone.try_emplace({reinterpret_cast<const char*>(row.storage_index()), storage_index_bytes}, number).first->second;
    *entry = (*entry & ((1u << 28) - 1)) | static_cast<std::uint64_t>(number) << 28;
  }
  std::sort(begin, placement_log_.end());
  const auto end = std::unique(begin, placement_log_.end());
  const std::size_t count = static_cast<std::size_t>(end - begin);
  changed.storage_indexes.resize(count * storage_index_bytes);
  changed.shares.resize(count);
  changed.peers.resize(count);
  changed.states.resize(count);
  changed.generations.resize(count);
  for (std::size_t i = 0; i < count; i++) {
    const std::uint64_t entry = begin[static_cast<std::ptrdiff_t>(i)];
    const auto number = static_cast<RowNumber>(entry >> 28);
    const auto share = static_cast<std::uint32_t>(entry >> 20 & 0xff);
    const auto peer = static_cast<std::uint32_t>(entry & 0xfffff);
    const Slab& slab = store_.slab_of(number);
    const Guard guard(*this, number);
    const Found found = store_.row_of(number).has(vacant) ? Found{} : find_placement(slab, number % rows_per_slab, share, peer);
    const bool is_there = found.found && !generations_.is_dead(found.slot);
    std::memcpy(&changed.storage_indexes[i * storage_index_bytes], store_.row_of(number).storage_index(), storage_index_bytes);
    changed.shares[i] = static_cast<std::uint8_t>(share);
    changed.peers[i] = peer;
    changed.states[i] = !is_there ? placement_lost : is_corrupt(found.slot) ? placement_corrupt : placement_stored;
    changed.generations[i] = is_there ? generations_.generation_of(found.slot) : 0;
  }
  placement_log_.erase(begin, placement_log_.end());
  if (placement_log_.empty()) {
    placement_log_.shrink_to_fit();
    for (const RowNumber number : left_rows_) store_.release(number);
    left_rows_.clear();
  }
  return placement_log_.size();
}

void ShareMap::take_files(FileColumns& changed) {
  for (const RowNumber number : changed_files_) {
    Slab& slab = store_.slab_of(number);
    const Guard guard(*this, number);
    const Row row = store_.row_of(number);
    if (row.has(vacant) || !row.has(file_changed)) continue;
    row.clear(file_changed);
    const FileFacts known = slab.facts(number % rows_per_slab);
    changed.storage_indexes.insert(changed.storage_indexes.end(), row.storage_index(), row.storage_index() + storage_index_bytes);
    changed.ueb_hashes.insert(changed.ueb_hashes.end(), row.ueb_hash(), row.ueb_hash() + ueb_hash_bytes);
    changed.size_bytes.push_back(known.size_bytes);
    changed.registered_at_ms.push_back(known.registered_at_ms);
    changed.classes.push_back(row.has(registered) ? known.file_class : no_class);
    changed.deleted.push_back(row.has(deleted));
  }
  changed_files_ = std::vector<RowNumber>();
}

RowNumber ShareMap::where_now(RowNumber number) const {
  while (flags_of(number) & vacant) {
    const Row row = store_.row_of(number);
    const RowNumber next = row.moved_to() == no_row ? find(row.storage_index()) : row.moved_to();
    if (next == no_row) return number;
    number = next;
  }
  return number;
}

std::size_t ShareMap::bytes() const {
  return sizeof(*this) + store_.bytes() + index_.bytes() + generations_.bytes() + touched_.capacity() * sizeof(RowNumber) +
         placement_log_.capacity() * sizeof(std::uint64_t) + changed_files_.capacity() * sizeof(RowNumber) + left_rows_.capacity() * sizeof(RowNumber);
}

}  // namespace meshward::share_map
