#pragma once
// The share map: rows found by storage index, events applied to them, and what has changed since somebody asked.
// All of it belongs to one thread; only a running sweep reads and notes beside it, row by row under the slab's lock.

#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "share-map/file_index.h"
#include "share-map/generations.h"
#include "share-map/sweep_run.h"

namespace meshward::share_map {

/** Kinds of events as they stand in the column; any other number counts as `verified`. */
enum EventKind : std::uint8_t { stored = 1, verified = 2, lost = 3, corrupt = 4 };
/** States of a placement as they stand in columns for the store. */
enum PlacementState : std::uint8_t { placement_stored = 1, placement_lost = 2, placement_corrupt = 3 };

/** In columns of files: a file that was deleted before anybody said what it is. */
constexpr std::uint32_t no_class = 0xffffffff;

/** Slots for a file whose coding is not known yet. */
inline std::uint32_t slots_for(std::uint32_t share) {
  std::uint32_t slots = 8;
  while (slots <= share) slots *= 2;
  return slots;
}

struct RegistrationColumns {
  std::size_t count;
  const std::uint8_t* storage_indexes;
  const std::uint8_t* ueb_hashes;
  const double* size_bytes;
  const std::uint32_t* classes;
};

struct PlacementColumns {
  std::size_t count;
  const std::uint8_t* storage_indexes;
  const std::uint8_t* shares;
  const std::uint32_t* peers;
  const std::uint8_t* states;
  const std::uint32_t* generations;
};

struct ChangedPlacements {
  std::vector<std::uint8_t> storage_indexes;
  std::vector<std::uint8_t> shares;
  std::vector<std::uint32_t> peers;
  std::vector<std::uint8_t> states;
  std::vector<std::uint32_t> generations;
};

struct FileColumns {
  std::vector<std::uint8_t> storage_indexes;
  std::vector<std::uint8_t> ueb_hashes;
  std::vector<double> size_bytes;
  std::vector<double> registered_at_ms;
  std::vector<std::uint32_t> classes;
  std::vector<std::uint8_t> deleted;
};

struct PlacementFacts {
  std::uint32_t share;
  std::uint32_t peer;
  bool corrupt;
  std::uint32_t generation;
};

class ShareMap {
 public:
  ShareMap(std::uint64_t seed_low, std::uint64_t seed_high, double most_files, double settle_ms)
      : most_files_(most_files), most_registered_(most_files), settle_ms_(settle_ms), index_(seed_low, seed_high) {}

  /**
   * Where events may make a file known, up to so many of all kinds; registrations up to so many registered ones, so that they find room first;
   * and how many placements a peer may have in files that nobody has registered.
   */
  void limit(double most_files, double most_registered, double most_unregistered) {
    most_files_ = most_files;
    most_registered_ = most_registered;
    most_unregistered_ = most_unregistered;
  }

  // --- what the log says. Peers are below `most_peers`, classes below `classes().count()`: the binding sees to that.

  /** @returns how many contradict what is known. */
  std::uint32_t register_files(const RegistrationColumns& files, double at_ms);
  void apply(std::uint32_t peer, std::uint32_t generation, std::size_t count, const std::uint8_t* storage_indexes,
             const std::uint8_t* shares, const std::uint8_t* kinds);
  /** Takes away the peer's placements of other generations: at once for who asks, from the rows by and by. @returns how many. */
  std::uint64_t end_inventory(std::uint32_t peer, std::uint32_t generation);
  void delete_files(std::size_t count, const std::uint8_t* storage_indexes);
  void load_files(const RegistrationColumns& files, const double* registered_at_ms, const std::uint8_t* deleted);
  void mark_settled(std::size_t count, const std::uint8_t* storage_indexes);
  void load_placements(const PlacementColumns& placements);
  FileClasses& classes() { return classes_; }

  /** Frees rows of up to so many slabs from placements that inventories took away. @returns whether some are left. */
  bool reap(std::size_t most_slabs);

  /** Takes away what the peer holds in files that nobody has registered, slab after slab. @returns where to go on; 0: it is done. */
  std::size_t free_unregistered(std::uint32_t peer, std::size_t from_slab, std::size_t most_slabs);

  // --- what is asked

  void set_peers(PeerColumns columns);
  const PeerTables& tables();
  RowNumber find(const std::uint8_t* storage_index) const { return index_.find(store_, storage_index, index_.hash(storage_index)); }
  /** Null where nothing is to be judged. */
  bool health(RowNumber number, Health& health);
  FileFacts facts(RowNumber number);
  std::uint32_t flags_of(RowNumber number) const {
    const Guard guard(*this, number);
    return store_.row_of(number).flags();
  }
  /** For the storage index and UEB hash: a sweep does not write them. */
  Row row(RowNumber number) { return store_.row_of(number); }
  std::vector<PlacementFacts> placements(RowNumber number);
  /** False for a file of which nothing but dead placements is there. */
  bool is_known(RowNumber number);
  bool is_settling(RowNumber number, const Health& health, double at_ms);

  /** Judges up to so many of the files that events touched. @returns how many are left. */
  std::size_t look(const SweepSettings& settings, std::size_t most_files, ChangedFiles& changed);
  /** One sweep at a time. `finish_sweep` once `run` has returned, with whether every file was judged and nothing put off. */
  std::shared_ptr<SweepRun> start_sweep(const SweepSettings& settings, std::uint32_t threads, const PeerColumns* other_peers);
  void finish_sweep(bool judged_all);
  bool is_sweeping() const { return sweep_ != nullptr; }
  void cancel_sweep();

  /** Up to so many rows of what changed, each once a call. @returns how many log entries are left. */
  std::size_t take_placements(std::size_t most_rows, ChangedPlacements& changed);
  void take_files(FileColumns& changed);

  std::size_t file_count() const { return file_count_; }
  std::uint64_t placement_count() const { return placement_count_; }
  /** Files of which nobody has said what they are, and that were not deleted. */
  std::size_t unregistered_count() const { return unregistered_count_; }
  /** Events of such files beyond what one peer may hold of them. */
  std::uint64_t refused_unregistered() const { return refused_unregistered_; }
  std::uint64_t refused_files() const { return refused_files_; }
  /** New placements of files that have as many as they may (Extras::most). */
  std::uint64_t refused_placements() const { return refused_placements_; }
  std::uint64_t dead_placements() const { return dead_placements_; }
  double settle_ms() const { return settle_ms_; }
  std::size_t bytes() const;

 private:
  friend class Snapshot;
  struct Found {
    bool found = false;
    bool in_slots = false;
    std::uint32_t at = 0;
    std::uint32_t slot = 0;
  };
  /** Holds a row, or all rows of its slab, while a sweep runs; without one nobody else is there. */
  class Guard {
   public:
    Guard(const ShareMap& map, Slab& slab, std::uint32_t place) : held_(map.sweep_ ? &slab.lock : nullptr, place) {}
    Guard(const ShareMap& map, RowNumber number) : Guard(map, map.store_.slab_of(number), number % rows_per_slab) {}

   private:
    HeldRows held_;
  };

  static constexpr std::uint64_t nothing_judged = ~0ull;

  enum class By { event, owner };
  RowNumber entry(const std::uint8_t* storage_index, std::uint64_t hash, std::uint32_t slots, By by);
  bool may_hold_more(std::uint32_t peer) const { return generations_.of(peer).unregistered < most_unregistered_; }
  static bool is_unregistered(std::uint32_t flags) { return !(flags & (registered | deleted)); }
  /** Adds up the placements of a row by peer. The caller holds the lock. */
  void count_unregistered(const Slab& slab, std::uint32_t place, std::int32_t by);
  /** The row is about to be registered or deleted. The caller holds the lock. */
  void leave_unregistered(const Slab& slab, std::uint32_t place);
  bool register_file(const RegistrationColumns& files, std::size_t i, double at_ms);
  void put_registration(RowNumber number, const RegistrationColumns& files, std::size_t i, double registered_at_ms);
  void apply_event(RowNumber number, std::uint32_t share, std::uint8_t kind, std::uint32_t peer, std::uint32_t code);
  /** A file that has enough shares and is about to lose one is not new any more, also where nobody has judged it in between. */
  void settle_if_whole(RowNumber number);
  bool change_known(RowNumber number, std::uint32_t share, std::uint8_t kind, std::uint32_t peer, std::uint32_t code);
  Found find_placement(const Slab& slab, std::uint32_t place, std::uint32_t share, std::uint32_t peer) const;
  /** The row may move. @returns where it is then. */
  RowNumber make_room(RowNumber number, std::uint32_t share);
  bool has_room(const Slab& slab, std::uint32_t place, std::uint32_t share);
  void insert_placement(Slab& slab, std::uint32_t place, std::uint32_t share, std::uint32_t slot);
  void remove_placement(Slab& slab, std::uint32_t place, const Found& found, std::uint32_t share);
  void replace_slot(Slab& slab, std::uint32_t place, const Found& found, std::uint32_t slot);
  RowNumber relocate(RowNumber number, std::uint32_t slots);
  void purge_share(RowNumber number, std::uint32_t share);
  void remove_dead(Slab& slab, RowNumber number, std::uint32_t from, std::uint32_t to);
  void leave(Slab& slab, RowNumber number, RowNumber moved_to);
  void leave_if_empty(Slab& slab, RowNumber number);
  void forget_dead(std::uint32_t slot);
  std::uint32_t code_for(std::uint32_t peer, std::uint32_t generation);
  void use_peer(std::uint32_t peer);
  void touch(Row row, RowNumber number);
  void note_change(RowNumber number, std::uint32_t share, std::uint32_t peer);
  void note_file_change(Row row, RowNumber number);
  /** The row of a file that had that one; the same vacant row where the file is gone. */
  RowNumber where_now(RowNumber number) const;
  void release_dead_codes();

  double most_files_;
  double most_registered_;
  double most_unregistered_ = 1e15;
  double settle_ms_;
  SlabStore store_;
  FileIndex index_;
  FileClasses classes_;
  Generations generations_;

  PeerColumns peer_columns_;
  std::shared_ptr<const PeerTables> tables_;
  std::unique_ptr<Examiner> examiner_;
  std::uint64_t peers_revision_ = 0;
  std::uint64_t judged_revision_ = nothing_judged;  // every file was judged with these peers

  std::shared_ptr<SweepRun> sweep_;
  std::uint32_t parity_ = 0;

  std::vector<RowNumber> touched_;
  std::vector<std::uint64_t> placement_log_;  // row << 28 | share << 20 | peer
  std::vector<RowNumber> changed_files_;
  std::vector<RowNumber> left_rows_;  // vacant, but named in the log or the list above until these are taken

  std::size_t file_count_ = 0;
  std::size_t unregistered_count_ = 0;
  std::uint64_t refused_unregistered_ = 0;
  std::uint64_t placement_count_ = 0;
  std::uint64_t dead_placements_ = 0;
  std::uint64_t refused_files_ = 0;
  std::uint64_t refused_placements_ = 0;
  std::size_t reap_cursor_ = 0;
};

}  // namespace meshward::share_map
