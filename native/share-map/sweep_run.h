#pragma once
// A sweep under way: the threads that share the slabs out among them.

#include <atomic>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <vector>

#include "share-map/sweep.h"

namespace meshward::share_map {

class SweepRun {
 public:
  SweepRun(const std::vector<std::unique_ptr<Slab>>& slabs, const FileClasses& classes, std::shared_ptr<const PeerTables> tables,
           const SweepSettings& settings, std::uint32_t threads, std::uint32_t parity, std::uint64_t peers_revision);

  /**
   * Visits every slab, on this thread and others, fewer where the system gives no more; returns when all of them are done.
   * @throws std::bad_alloc; there is no result then.
   */
  void run();
  /** Slabs not begun yet are left out. */
  void cancel() { cancelled_ = true; }
  void wait();

  /** For the map's own thread: visits a row before it moves. The caller holds the lock. */
  void visit_before_move(Slab& slab, std::uint32_t place) { own_part_.visit(slab, place, parity_); }
  /** Everything that was found; call once, after `run`. */
  SweepPart& result();

  const PeerTables& tables() const { return *tables_; }
  const SweepSettings& settings() const { return settings_; }
  std::uint32_t parity() const { return parity_; }
  std::uint64_t peers_revision() const { return peers_revision_; }
  bool cancelled() const { return cancelled_; }
  std::uint32_t threads() const { return threads_; }

 private:
  void visit_all();
  void work(SweepPart& part);
  void visit_slabs(SweepPart& part);
  void finish();

  std::vector<Slab*> slabs_;
  std::shared_ptr<const PeerTables> tables_;
  const SweepSettings settings_;
  const std::uint32_t threads_;
  const std::uint32_t parity_;
  const std::uint64_t peers_revision_;
  SweepPart own_part_;
  std::vector<std::unique_ptr<SweepPart>> parts_;
  std::atomic<std::size_t> next_{0};
  std::atomic<bool> cancelled_{false};
  std::mutex mutex_;
  std::condition_variable finished_;
  bool is_finished_ = false;
  std::exception_ptr failure_;
};

}  // namespace meshward::share_map
