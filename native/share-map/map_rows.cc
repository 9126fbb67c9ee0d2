// Rows and the placements in them: finding, putting, removing, moving.
#include <algorithm>
#include <utility>

#include "share-map/map.h"

namespace meshward::share_map {
namespace {

constexpr std::uint32_t kept_flags = registered | deleted | settled | reported | was_settling | touched | file_changed | sweep_parity;

}  // namespace

RowNumber ShareMap::entry(const std::uint8_t* storage_index, std::uint64_t hash, std::uint32_t slots, By by) {
  const RowNumber known = index_.find(store_, storage_index, hash);
  if (known != no_row) return known;
  const bool is_full = by == By::owner ? static_cast<double>(file_count_ - unregistered_count_) >= most_registered_
                                       : static_cast<double>(file_count_) >= most_files_;
  if (is_full) {
    refused_files_++;
    return no_row;
  }
  const RowNumber number = store_.allocate(slots);
  const Guard guard(*this, number);
  const Row row = store_.row_of(number);
  std::memcpy(row.storage_index(), storage_index, storage_index_bytes);
  index_.insert(store_, hash, number);
  row.clear(vacant);
  row.set(parity_);
  file_count_++;
  unregistered_count_++;
  return number;
}

void ShareMap::count_unregistered(const Slab& slab, std::uint32_t place, std::int32_t by) {
  const Row row = slab.row(place);
  const auto add = [&](std::uint32_t slot) {
    if (slot != 0) generations_.of(peer_of(slot)).unregistered += static_cast<std::uint32_t>(by);
  };
  for (std::uint32_t share = 0; share < slab.slot_count; share++) add(row.slot(share));
  if (!row.has(has_extras)) return;
  const Extras& extras = slab.extras_of(place);
  for (std::uint32_t i = 0; i < extras.count(); i++) add(extras.slot(i));
}

void ShareMap::leave_unregistered(const Slab& slab, std::uint32_t place) {
  if (!is_unregistered(slab.row(place).flags())) return;
  unregistered_count_--;
  count_unregistered(slab, place, -1);
}

ShareMap::Found ShareMap::find_placement(const Slab& slab, std::uint32_t place, std::uint32_t share, std::uint32_t peer) const {
  const Row row = slab.row(place);
  if (share < slab.slot_count) {
    const std::uint32_t slot = row.slot(share);
    if (slot == 0) return {};
    if (peer_of(slot) == peer) return {true, true, share, slot};
  }
  if (!row.has(has_extras)) return {};
  const Extras& extras = slab.extras_of(place);
  for (std::uint32_t i = 0; i < extras.count(); i++) {
    if (extras.share(i) == share && peer_of(extras.slot(i)) == peer) return {true, false, i, extras.slot(i)};
  }
  return {};
}

RowNumber ShareMap::make_room(RowNumber number, std::uint32_t share) {
  const bool has_slot = share < store_.slab_of(number).slot_count;
  return has_slot || flags_of(number) & registered ? number : relocate(number, slots_for(share));
}

/** Whether the file may have one more placement; counts it as refused where not. */
bool ShareMap::has_room(const Slab& slab, std::uint32_t place, std::uint32_t share) {
  const Row row = slab.row(place);
  if (!row.has(has_extras) || (share < slab.slot_count && row.slot(share) == 0) || slab.extras_of(place).has_room()) return true;
  refused_placements_++;
  return false;
}

void ShareMap::insert_placement(Slab& slab, std::uint32_t place, std::uint32_t share, std::uint32_t slot) {
  const Row row = slab.row(place);
  row.clear(structure_known);
  if (share < slab.slot_count && row.slot(share) == 0) {
    row.set_slot(share, slot);
    return;
  }
  if (!slab.extras) slab.extras = std::make_unique<std::array<Extras, rows_per_slab>>();
  slab.extras_of(place).add(share, slot);
  row.set(has_extras);
}

void ShareMap::remove_placement(Slab& slab, std::uint32_t place, const Found& found, std::uint32_t share) {
  const Row row = slab.row(place);
  row.clear(structure_known);
  if (found.in_slots) row.set_slot(share, 0);
  if (!row.has(has_extras)) return;
  Extras& extras = slab.extras_of(place);
  if (!found.in_slots) {
    extras.remove(found.at);
  } else {
    // A slot is empty only where no extra has its share.
    for (std::uint32_t i = 0; i < extras.count(); i++) {
      if (extras.share(i) != share) continue;
      row.set_slot(share, extras.slot(i));
      extras.remove(i);
      break;
    }
  }
  if (extras.count() == 0) row.clear(has_extras);
}

void ShareMap::replace_slot(Slab& slab, std::uint32_t place, const Found& found, std::uint32_t slot) {
  if (found.in_slots) slab.row(place).set_slot(found.at, slot);
  else slab.extras_of(place).set_slot(found.at, slot);
}

/** Moves a file to a row with another count of slots. */
RowNumber ShareMap::relocate(RowNumber from_number, std::uint32_t slots) {
  const RowNumber to_number = store_.allocate(slots);
  Slab& from_slab = store_.slab_of(from_number);
  Slab& to_slab = store_.slab_of(to_number);
  const std::uint32_t from_place = from_number % rows_per_slab;
  const std::uint32_t to_place = to_number % rows_per_slab;
  const Row from = from_slab.row(from_place);
  const Row to = to_slab.row(to_place);
  std::vector<std::pair<std::uint32_t, std::uint32_t>> placements;
  FileFacts known;
  std::uint32_t flags;
  std::uint32_t seen;
  {
    const Guard guard(*this, from_number);
    if (sweep_ && (from.flags() & sweep_parity) != parity_) sweep_->visit_before_move(from_slab, from_place);
    for (std::uint32_t share = 0; share < from_slab.slot_count; share++) {
      if (const std::uint32_t slot = from.slot(share)) placements.emplace_back(share, slot);
    }
    if (from.has(has_extras)) {
      const Extras& extras = from_slab.extras_of(from_place);
      for (std::uint32_t i = 0; i < extras.count(); i++) placements.emplace_back(extras.share(i), extras.slot(i));
    }
    known = from_slab.facts(from_place);
    flags = from.flags();
    seen = from.seen();
  }
  {
    const Guard guard(*this, to_slab, Slab::fit_a_row(known) ? to_place : SlabLock::all_rows);
    std::memcpy(to.storage_index(), from.storage_index(), storage_index_bytes + ueb_hash_bytes);
    to.set_seen(seen);
    to.set(flags & kept_flags);
    if (flags & registered) to_slab.set_facts(to_place, known);
    for (const auto& [share, slot] : placements) insert_placement(to_slab, to_place, share, slot);
    index_.replace(index_.hash(to.storage_index()), from_number, to_number);
    to.clear(vacant);
  }
  if (flags & touched) touched_.push_back(to_number);
  if (flags & file_changed) changed_files_.push_back(to_number);
  const Guard guard(*this, from_slab, flags & has_rare ? SlabLock::all_rows : from_place);
  leave(from_slab, from_number, to_number);
  return to_number;
}

/** The row's storage index stays readable until the log that may name it has been taken. */
void ShareMap::leave(Slab& slab, RowNumber number, RowNumber moved_to) {
  const std::uint32_t place = number % rows_per_slab;
  const Row row = slab.row(place);
  if (row.has(has_rare)) slab.rare->erase(place);
  if (row.has(has_extras)) slab.extras_of(place) = Extras();
  row.clear((1u << flag_bits) - 1);
  row.set(vacant);
  row.set_moved_to(moved_to);
  left_rows_.push_back(number);
}

/** A file that was known by its placements alone is known no more when the last is gone. The caller holds the lock. */
void ShareMap::leave_if_empty(Slab& slab, RowNumber number) {
  const Row row = slab.row(number % rows_per_slab);
  if (row.has(registered | deleted | has_extras)) return;
  for (std::uint32_t share = 0; share < slab.slot_count; share++) {
    if (row.slot(share) != 0) return;
  }
  index_.remove(store_, index_.hash(row.storage_index()), number);
  leave(slab, number, no_row);
  file_count_--;
  unregistered_count_--;
}

// --- placements that inventories took away -------------------------------------------------------------------------------

void ShareMap::purge_share(RowNumber number, std::uint32_t share) {
  if (number == no_row) return;
  Slab& slab = store_.slab_of(number);
  const Guard guard(*this, number);
  remove_dead(slab, number, share, share + 1);
}

bool ShareMap::reap(std::size_t most_slabs) {
  for (std::size_t i = 0; i < most_slabs && dead_placements_ > 0; i++) {
    if (reap_cursor_ >= store_.slabs().size()) reap_cursor_ = 0;
    Slab& slab = *store_.slabs()[reap_cursor_];
    for (std::uint32_t place = 0; place < slab.used; place++) {
      const Guard guard(*this, slab, place);
      if (!slab.row(place).has(vacant)) remove_dead(slab, static_cast<RowNumber>(reap_cursor_ * rows_per_slab + place), 0, most_slots);
    }
    reap_cursor_++;
  }
  return dead_placements_ > 0;
}

std::size_t ShareMap::free_unregistered(std::uint32_t peer, std::size_t from_slab, std::size_t most_slabs) {
  if (peer >= generations_.peer_count()) return 0;
  auto& own = generations_.of(peer);
  for (std::size_t at = from_slab; at < store_.slabs().size() && own.unregistered > 0; at++) {
    if (at - from_slab == most_slabs) return at;
    Slab& slab = *store_.slabs()[at];
    for (std::uint32_t place = 0; place < slab.used; place++) {
      const Guard guard(*this, slab, place);
      const Row row = slab.row(place);
      if (row.has(vacant) || !is_unregistered(row.flags())) continue;
      const RowNumber number = static_cast<RowNumber>(at * rows_per_slab + place);
      bool removed = false;
      for (std::uint32_t share = 0; share < most_slots; share++) {
        const Found found = find_placement(slab, place, share, peer);
        if (!found.found) continue;
        remove_placement(slab, place, found, share);
        note_change(number, share, peer);
        own.unregistered--;
        if (generations_.is_dead(found.slot)) {
          forget_dead(found.slot);
        } else {
          own.placements[code_of(found.slot)]--;
          placement_count_--;
        }
        removed = true;
      }
      if (!removed) continue;
      touch(row, number);
      leave_if_empty(slab, number);
    }
  }
  return 0;
}

/** Of the shares `from … to − 1`. The caller holds the lock. */
void ShareMap::remove_dead(Slab& slab, RowNumber number, std::uint32_t from, std::uint32_t to) {
  const std::uint32_t place = number % rows_per_slab;
  const Row row = slab.row(place);
  bool removed = false;
  const auto remove = [&](const Found& found, std::uint32_t share) {
    remove_placement(slab, place, found, share);
    note_change(number, share, peer_of(found.slot));
    if (is_unregistered(row.flags())) generations_.of(peer_of(found.slot)).unregistered--;
    forget_dead(found.slot);
    removed = true;
  };
  // Extras first: what moves from them into a slot is alive then.
  if (row.has(has_extras)) {
    Extras& extras = slab.extras_of(place);
    for (std::uint32_t i = extras.count(); i-- > 0;) {
      const std::uint32_t share = extras.share(i);
      if (share >= from && share < to && generations_.is_dead(extras.slot(i))) remove({true, false, i, extras.slot(i)}, share);
    }
  }
  for (std::uint32_t share = from; share < std::min(to, slab.slot_count); share++) {
    const std::uint32_t slot = row.slot(share);
    if (slot != 0 && generations_.is_dead(slot)) remove({true, true, share, slot}, share);
  }
  if (!removed) return;
  touch(row, number);
  leave_if_empty(slab, number);
}

void ShareMap::forget_dead(std::uint32_t slot) {
  Generations::OfPeer& own = generations_.of(peer_of(slot));
  dead_placements_--;
  if (--own.placements[code_of(slot)] > 0 || sweep_) return;
  own.dead = static_cast<std::uint8_t>(own.dead & ~(1u << code_of(slot)));
  tables_.reset();
}

/** A sweep knows dead placements by their codes, so codes that fell free during one are given out again only after it. */
void ShareMap::release_dead_codes() {
  for (std::uint32_t peer = 0; peer < generations_.peer_count(); peer++) {
    Generations::OfPeer& own = generations_.of(peer);
    for (std::uint32_t code = 0; code < Generations::codes; code++) {
      if (own.placements[code] == 0) own.dead = static_cast<std::uint8_t>(own.dead & ~(1u << code));
    }
  }
  tables_.reset();
}

/** Where a peer has begun eight inventories of which one is forgotten but not reaped, the caller waits for a sweep and reaps. */
std::uint32_t ShareMap::code_for(std::uint32_t peer, std::uint32_t generation) {
  std::uint32_t code = generations_.find_or_take(peer, generation);
  if (code < Generations::codes) return code;
  if (generations_.of(peer).dead != 0) {
    if (sweep_) sweep_->wait();
    reap(store_.slabs().size() + 1);
    release_dead_codes();
    code = generations_.find_or_take(peer, generation);
    if (code < Generations::codes) return code;
  }
  // Eight inventories in a row that never ended: the smallest is taken for part of this one. What it named and this one does
  // not is then forgotten one inventory later.
  Generations::OfPeer& own = generations_.of(peer);
  code = static_cast<std::uint32_t>(std::min_element(own.placements.begin(), own.placements.end()) - own.placements.begin());
  own.generation[code] = generation;
  return code;
}

void ShareMap::use_peer(std::uint32_t peer) {
  if (sweep_ && peer >= sweep_->tables().capacity) sweep_->wait();
  generations_.reserve_peer(peer);
}

}  // namespace meshward::share_map
