// What the log says, put into rows.
#include "share-map/map.h"

#include <algorithm>
#include <stdexcept>

namespace meshward::share_map {
namespace {

constexpr std::size_t events_ahead = 32;

}  // namespace

std::uint32_t ShareMap::register_files(const RegistrationColumns& files, double at_ms) {
  std::uint32_t conflicts = 0;
  for (std::size_t i = 0; i < files.count; i++) conflicts += !register_file(files, i, at_ms);
  return conflicts;
}

/** @returns false where the registration contradicts a better or earlier one. */
bool ShareMap::register_file(const RegistrationColumns& files, std::size_t i, double at_ms) {
  const std::uint8_t* index = files.storage_indexes + i * storage_index_bytes;
  const FileClass& file_class = classes_[files.classes[i]];
  const RowNumber number = entry(index, index_.hash(index), file_class.n, By::owner);
  if (number == no_row) return true;
  const Row row = store_.row_of(number);
  const std::uint32_t flags = flags_of(number);
  const bool is_new = !(flags & registered) || flags & deleted;
  double registered_at_ms = at_ms;
  if (flags & registered) {
    const FileFacts known = facts(number);
    const FileClass& known_class = classes_[known.file_class];
    const bool same = known_class.k == file_class.k && known_class.n == file_class.n && known.size_bytes == files.size_bytes[i] &&
                      std::memcmp(row.ueb_hash(), files.ueb_hashes + i * ueb_hash_bytes, ueb_hash_bytes) == 0;
    if (!file_class.by_owner) return same;
    if (same && known.file_class == files.classes[i] && !(flags & deleted)) return true;
    if (!is_new) registered_at_ms = known.registered_at_ms;
  }
  put_registration(number, files, i, registered_at_ms);
  const RowNumber now = where_now(number);
  const Guard guard(*this, now);
  const Row moved = store_.row_of(now);
  if (is_new) moved.clear(settled);
  if (file_class.by_owner) moved.clear(deleted);
  note_file_change(moved, now);
  touch(moved, now);
  return true;
}

void ShareMap::put_registration(RowNumber number, const RegistrationColumns& files, std::size_t i, double registered_at_ms) {
  const std::uint32_t n = classes_[files.classes[i]].n;
  if (store_.slab_of(number).slot_count != n) number = relocate(number, n);
  Slab& slab = store_.slab_of(number);
  const FileFacts facts{files.size_bytes[i], registered_at_ms, files.classes[i]};
  const bool in_row = Slab::fit_a_row(facts) && !(flags_of(number) & has_rare);
  const Guard guard(*this, slab, in_row ? number % rows_per_slab : SlabLock::all_rows);
  const Row row = store_.row_of(number);
  leave_unregistered(slab, number % rows_per_slab);
  std::memcpy(row.ueb_hash(), files.ueb_hashes + i * ueb_hash_bytes, ueb_hash_bytes);
  slab.set_facts(number % rows_per_slab, facts);
  row.set(registered);
  row.clear(reported);
}

void ShareMap::apply(std::uint32_t peer, std::uint32_t generation, std::size_t count, const std::uint8_t* storage_indexes,
                     const std::uint8_t* shares, const std::uint8_t* kinds) {
  if (count == 0) return;
  use_peer(peer);
  const std::uint32_t code = code_for(peer, generation);
  std::uint64_t hashes[events_ahead];
  for (std::size_t begin = 0; begin < count; begin += events_ahead) {
    const std::size_t end = std::min(count, begin + events_ahead);
    // Three misses an event (index, head, slot) cost more than all the rest: they are waited for together.
    for (std::size_t i = begin; i < end; i++) {
      hashes[i - begin] = index_.hash(storage_indexes + i * storage_index_bytes);
      index_.prefetch(hashes[i - begin]);
    }
    for (std::size_t i = begin; i < end; i++) {
      const RowNumber guess = index_.guess(hashes[i - begin]);
      if (guess == no_row) continue;
      const Row row = store_.row_of(guess);
      __builtin_prefetch(row.storage_index(), 1);
      __builtin_prefetch(row.storage_index() + 56, 1);
      __builtin_prefetch(row.before_slots() + slot_bytes * shares[i], 1);
    }
    for (std::size_t i = begin; i < end; i++) {
      const std::uint8_t* index = storage_indexes + i * storage_index_bytes;
      if (dead_placements_ > 0) purge_share(index_.find(store_, index, hashes[i - begin]), shares[i]);
      RowNumber number = index_.find(store_, index, hashes[i - begin]);
      if (number == no_row && kinds[i] != lost) {
        if (may_hold_more(peer)) number = entry(index, hashes[i - begin], slots_for(shares[i]), By::event);
        else refused_unregistered_++;
      }
      if (number != no_row) apply_event(number, shares[i], kinds[i], peer, code);
    }
  }
}

void ShareMap::apply_event(RowNumber number, std::uint32_t share, std::uint8_t kind, std::uint32_t peer, std::uint32_t code) {
  if (kind == lost || kind == corrupt) settle_if_whole(number);
  if (change_known(number, share, kind, peer, code)) return;
  const bool unregistered = is_unregistered(flags_of(number));
  if (unregistered && !may_hold_more(peer)) {
    refused_unregistered_++;
    return;
  }
  number = make_room(number, share);
  Slab& slab = store_.slab_of(number);
  const Guard guard(*this, number);
  if (!has_room(slab, number % rows_per_slab, share)) return;
  insert_placement(slab, number % rows_per_slab, share, slot_of(peer, code, kind == corrupt));
  generations_.of(peer).placements[code]++;
  generations_.of(peer).unregistered += unregistered;
  placement_count_++;
  touch(slab.row(number % rows_per_slab), number);
  note_change(number, share, peer);
}

void ShareMap::settle_if_whole(RowNumber number) {
  if ((flags_of(number) & (registered | deleted | settled)) != registered) return;
  Health health;
  if (!this->health(number, health)) return;
  if (health.counted < classes_[facts(number).file_class].repair_below) return;
  const Guard guard(*this, number);
  store_.row_of(number).set(settled);
}

/** @returns false where the event brings a placement that is not there yet. */
bool ShareMap::change_known(RowNumber number, std::uint32_t share, std::uint8_t kind, std::uint32_t peer, std::uint32_t code) {
  Slab& slab = store_.slab_of(number);
  const std::uint32_t place = number % rows_per_slab;
  const Guard guard(*this, number);
  const Row row = slab.row(place);
  const Found known = find_placement(slab, place, share, peer);
  if (!known.found) return kind == lost;
  auto& placements = generations_.of(peer).placements;
  if (kind == lost) {
    placements[code_of(known.slot)]--;
    generations_.of(peer).unregistered -= is_unregistered(row.flags());
    placement_count_--;
    note_change(number, share, peer);
    remove_placement(slab, place, known, share);
    touch(row, number);
    leave_if_empty(slab, number);
    return true;
  }
  // An inventory names what is there, not what is sound: only a check of the content clears a corrupt share.
  const bool is_bad = kind == corrupt || (kind == stored && is_corrupt(known.slot));
  const std::uint32_t slot = slot_of(peer, code, is_bad);
  if (slot == known.slot) return true;
  replace_slot(slab, place, known, slot);
  placements[code_of(known.slot)]--;
  placements[code]++;
  if (is_bad != is_corrupt(known.slot)) row.clear(structure_known);
  // Another generation alone changes no health that has been judged with the peers as they are.
  const bool was_judged = row.has(settled) && row.has(reported) && judged_revision_ == peers_revision_;
  if (!was_judged || is_bad != is_corrupt(known.slot)) touch(row, number);
  note_change(number, share, peer);
  return true;
}

std::uint64_t ShareMap::end_inventory(std::uint32_t peer, std::uint32_t generation) {
  use_peer(peer);
  Generations::OfPeer& own = generations_.of(peer);
  std::uint64_t forgotten = 0;
  for (std::uint32_t code = 0; code < Generations::codes; code++) {
    if (own.placements[code] == 0 || own.dead >> code & 1 || own.generation[code] == generation) continue;
    own.dead = static_cast<std::uint8_t>(own.dead | 1u << code);
    forgotten += own.placements[code];
  }
  if (forgotten == 0) return 0;
  dead_placements_ += forgotten;
  placement_count_ -= forgotten;
  tables_.reset();
  return forgotten;
}

void ShareMap::delete_files(std::size_t count, const std::uint8_t* storage_indexes) {
  for (std::size_t i = 0; i < count; i++) {
    // A file that is not known yet too: what peers say of it later must not bring it back.
    const std::uint8_t* index = storage_indexes + i * storage_index_bytes;
    const RowNumber number = entry(index, index_.hash(index), 0, By::owner);
    if (number == no_row) continue;
    const Guard guard(*this, number);
    const Row row = store_.row_of(number);
    if (row.has(deleted)) continue;
    leave_unregistered(store_.slab_of(number), number % rows_per_slab);
    row.set(deleted);
    note_file_change(row, number);
    touch(row, number);
  }
}

void ShareMap::load_files(const RegistrationColumns& files, const double* registered_at_ms, const std::uint8_t* deleted_files) {
  for (std::size_t i = 0; i < files.count; i++) {
    const std::uint8_t* index = files.storage_indexes + i * storage_index_bytes;
    const bool is_known = files.classes[i] != no_class;
    const RowNumber number = entry(index, index_.hash(index), is_known ? classes_[files.classes[i]].n : 0, By::owner);
    if (number == no_row) continue;
    if (is_known) put_registration(number, files, i, registered_at_ms[i]);
    const RowNumber now = where_now(number);
    const Guard guard(*this, now);
    const Row row = store_.row_of(now);
    if (row.has(deleted) && !row.has(registered)) {
      unregistered_count_++;
      count_unregistered(store_.slab_of(now), now % rows_per_slab, 1);
    }
    row.clear(deleted);
    if (!deleted_files[i]) continue;
    leave_unregistered(store_.slab_of(now), now % rows_per_slab);
    row.set(deleted);
  }
}

void ShareMap::mark_settled(std::size_t count, const std::uint8_t* storage_indexes) {
  for (std::size_t i = 0; i < count; i++) {
    const RowNumber number = find(storage_indexes + i * storage_index_bytes);
    if (number == no_row) continue;
    const Guard guard(*this, number);
    store_.row_of(number).set(settled);
  }
}

void ShareMap::load_placements(const PlacementColumns& placements) {
  judged_revision_ = nothing_judged;
  std::uint64_t hashes[events_ahead];
  for (std::size_t begin = 0; begin < placements.count; begin += events_ahead) {
    const std::size_t end = std::min(placements.count, begin + events_ahead);
    for (std::size_t i = begin; i < end; i++) {
      hashes[i - begin] = index_.hash(placements.storage_indexes + i * storage_index_bytes);
      index_.prefetch(hashes[i - begin]);
    }
    for (std::size_t i = begin; i < end; i++) {
      if (placements.states[i] == placement_lost) continue;
      const std::uint32_t share = placements.shares[i];
      const std::uint8_t* index = placements.storage_indexes + i * storage_index_bytes;
      if (dead_placements_ > 0) purge_share(index_.find(store_, index, hashes[i - begin]), share);
      RowNumber number = entry(index, hashes[i - begin], slots_for(share), By::event);
      if (number == no_row) continue;
      const std::uint32_t peer = placements.peers[i];
      use_peer(peer);
      const std::uint32_t slot = slot_of(peer, code_for(peer, placements.generations[i]), placements.states[i] == placement_corrupt);
      const Found known = [&] {
        const Guard guard(*this, number);
        return find_placement(store_.slab_of(number), number % rows_per_slab, share, peer);
      }();
      if (!known.found) number = make_room(number, share);
      Slab& slab = store_.slab_of(number);
      const Guard guard(*this, number);
      if (!known.found && !has_room(slab, number % rows_per_slab, share)) continue;
      if (known.found) {
        replace_slot(slab, number % rows_per_slab, known, slot);
        slab.row(number % rows_per_slab).clear(structure_known);
        generations_.of(peer).placements[code_of(known.slot)]--;
      } else {
        insert_placement(slab, number % rows_per_slab, share, slot);
        generations_.of(peer).unregistered += is_unregistered(slab.row(number % rows_per_slab).flags());
        placement_count_++;
      }
      generations_.of(peer).placements[code_of(slot)]++;
    }
  }
}

// --- what is remembered until somebody asks ---------------------------------------------------------------------------------

void ShareMap::touch(Row row, RowNumber number) {
  if (row.has(touched)) return;
  row.set(touched);
  touched_.push_back(number);
}

void ShareMap::note_change(RowNumber number, std::uint32_t share, std::uint32_t peer) {
  placement_log_.push_back(static_cast<std::uint64_t>(number) << 28 | static_cast<std::uint64_t>(share) << 20 | peer);
}

void ShareMap::note_file_change(Row row, RowNumber number) {
  if (row.has(file_changed)) return;
  row.set(file_changed);
  changed_files_.push_back(number);
}

}  // namespace meshward::share_map
