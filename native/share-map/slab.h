#pragma once
// Rows of one length, 256 together, and what few of them need besides.

#include <array>
#include <atomic>
#include <cstdlib>
#include <memory>
#include <unordered_map>
#include <vector>

#include "share-map/row.h"

namespace meshward::share_map {

constexpr std::uint32_t rows_per_slab = 256;
constexpr std::uint32_t most_slabs = (1u << 18) - 1;

/** Placements that have no slot: a second peer for a share, or a share number beyond the slots. */
class Extras {
 public:
  /**
   * What is taken of a file from peers. Every event of it goes through all of them, and whoever has many peers' keys could
   * claim any number of shares of one file.
   */
  static constexpr std::uint32_t most = 4096;

  bool has_room() const { return count() < most; }
  std::uint32_t count() const { return words_ ? words_[0] & 0xffff : 0; }
  std::uint32_t share(std::uint32_t i) const { return words_[1 + i] >> 24; }
  std::uint32_t slot(std::uint32_t i) const { return words_[1 + i] & 0xffffff; }
  void set_slot(std::uint32_t i, std::uint32_t slot) { words_[1 + i] = (words_[1 + i] & 0xff000000) | slot; }
  /** @throws std::length_error beyond 65,535, which nothing comes near that asks `has_room` first. */
  void add(std::uint32_t share, std::uint32_t slot);
  void remove(std::uint32_t i);
  std::size_t bytes() const { return words_ ? 4 * (1 + (words_[0] >> 16)) : 0; }

 private:
  std::unique_ptr<std::uint32_t[]> words_;  // capacity << 16 | count, then share << 24 | slot
};

/** Facts of a file that its row's fields cannot hold. */
struct FileFacts {
  double size_bytes = 0;
  double registered_at_ms = 0;
  std::uint32_t file_class = 0;
};

/**
 * Between the map's thread and the one thread of a sweep that is at this slab: each says which row it is at, and waits while the
 * other is at the same. So the map waits for a sweep that has lost its core only where it wants the very row; whoever changes
 * what the rows share (their count, the rare facts) takes them all. Who waits spins first, since sleeping costs the core, and
 * then sleeps, since the core may be what the other waits for.
 */
class SlabLock {
 public:
  static constexpr std::uint32_t all_rows = rows_per_slab;

  /** For the map's thread. */
  void lock(std::uint32_t place) { take<map_shift>(place); }
  void unlock() { leave<map_shift>(); }
  /** For a sweep's thread: goes from the row where it is, if at one, to another. */
  void sweep(std::uint32_t place) { take<sweep_shift>(place); }
  void end_sweep() { leave<sweep_shift>(); }

 private:
  // The place plus one; zero for nowhere.
  static constexpr std::uint32_t place_mask = 0x3ff;
  static constexpr int map_shift = 0;
  static constexpr int sweep_shift = 10;
  static constexpr std::uint32_t somebody_sleeps = 1u << 20;
  static constexpr int most_spins = 3000;

  static bool clashes(std::uint32_t state) {
    const std::uint32_t map = state >> map_shift & place_mask;
    const std::uint32_t swept = state >> sweep_shift & place_mask;
    return swept != 0 && (map == swept || map == all_rows + 1);
  }

  template <int shift>
  void take(std::uint32_t place) {
    std::uint32_t state = state_.load(std::memory_order_relaxed);
    for (int spins = 0;;) {
      const std::uint32_t taken = (state & ~(place_mask << shift | somebody_sleeps)) | (place + 1) << shift;
      if (!clashes(taken)) {
        if (!state_.compare_exchange_weak(state, taken, std::memory_order_acq_rel, std::memory_order_relaxed)) continue;
        if (state & somebody_sleeps) state_.notify_all();
        return;
      }
      if (spins < most_spins) {
        spins++;
        pause();
        state = state_.load(std::memory_order_relaxed);
      } else if (state & somebody_sleeps || state_.compare_exchange_weak(state, state | somebody_sleeps, std::memory_order_relaxed)) {
        state_.wait(state | somebody_sleeps, std::memory_order_relaxed);
        state = state_.load(std::memory_order_relaxed);
      }
    }
  }

  template <int shift>
  void leave() {
    const std::uint32_t state = state_.fetch_and(~(place_mask << shift | somebody_sleeps), std::memory_order_acq_rel);
    if (state & somebody_sleeps) state_.notify_all();
  }

  /** Tells the core that this is a loop of waiting: 30 to 140 cycles on x64. */
  static void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("isb");
#endif
  }

  std::atomic<std::uint32_t> state_{0};
};

/** Holds rows for the map's thread; of no slab where there is nobody to wait for. */
class HeldRows {
 public:
  HeldRows(SlabLock* lock, std::uint32_t place) : lock_(lock) {
    if (lock_) lock_->lock(place);
  }
  ~HeldRows() {
    if (lock_) lock_->unlock();
  }
  HeldRows(const HeldRows&) = delete;
  HeldRows& operator=(const HeldRows&) = delete;

 private:
  SlabLock* const lock_;
};

struct Slab {
  explicit Slab(std::uint32_t slots)
      : slot_count(slots), row_bytes(head_bytes + slots * slot_bytes), bytes(new std::uint8_t[static_cast<std::size_t>(row_bytes) * rows_per_slab]) {}

  Row row(std::uint32_t place) const { return Row(bytes.get() + static_cast<std::size_t>(place) * row_bytes); }
  Extras& extras_of(std::uint32_t place) const { return (*extras)[place]; }

  FileFacts facts(std::uint32_t place) const;
  void set_facts(std::uint32_t place, const FileFacts& facts);
  /** Whether they fit a row's own fields; setting others takes all rows. */
  static bool fit_a_row(const FileFacts& facts);

  const std::uint32_t slot_count;
  const std::uint32_t row_bytes;
  std::uint32_t used = 0;
  SlabLock lock;
  std::unique_ptr<std::uint8_t[]> bytes;
  std::unique_ptr<std::array<Extras, rows_per_slab>> extras;
  std::unique_ptr<std::unordered_map<std::uint32_t, FileFacts>> rare;
};

/** Gives out rows. Only the map's own thread adds slabs; a slab stays where it is. */
class SlabStore {
 public:
  /** A row of zeros that is still marked vacant. @throws std::length_error when 2^26 rows are in use. */
  RowNumber allocate(std::uint32_t slots);
  void release(RowNumber number) { free_[slab_of(number).slot_count].push_back(number); }

  Slab& slab_of(RowNumber number) const { return *slabs_[number / rows_per_slab]; }
  Row row_of(RowNumber number) const { return slab_of(number).row(number % rows_per_slab); }
  const std::vector<std::unique_ptr<Slab>>& slabs() const { return slabs_; }
  /** Takes a slab that is read from a snapshot; `offer` it for new rows when all of it has been. */
  void adopt(std::unique_ptr<Slab> slab) { slabs_.push_back(std::move(slab)); }
  void offer(RowNumber first);
  std::size_t bytes() const;

 private:
  void clear_row(RowNumber number);

  std::vector<std::unique_ptr<Slab>> slabs_;
  std::array<std::uint32_t, most_slots + 1> open_{};  // number + 1 of the slab with room, by slot count
  std::array<std::vector<RowNumber>, most_slots + 1> free_;
};

}  // namespace meshward::share_map
