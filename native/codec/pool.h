#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace meshward::codec {

/** Work in independent slices. `finished` is called once, on a pool thread, when no slice runs any more. */
struct PoolJob {
  std::size_t slice_count = 0;
  std::function<void(std::size_t slice, const std::atomic<bool>& cancelled)> run_slice;
  std::function<void()> finished;
  /** Once set, slices that have not begun never do; those that run look at it. */
  std::atomic<bool> cancelled{false};

  // The rest belongs to the pool, under its mutex.
  std::size_t next_slice = 0;
  std::size_t slices_running = 0;
};

/**
 * Own threads for large regenerations (libuv's four also serve files and crypto), started at the first job. A job is cut
 * in slices, so that one alone uses every thread. The queue is bounded: `submit` refuses what is too much.
 */
class Pool {
 public:
  Pool(std::size_t thread_count, std::size_t most_jobs) : thread_count_(thread_count), most_jobs_(most_jobs) {}
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  /** Waits for what is queued. */
  ~Pool();

  std::size_t thread_count() const { return thread_count_; }

  /** False when `most_jobs` are queued or running, or the system gives not one thread; the job is then not taken. */
  bool submit(const std::shared_ptr<PoolJob>& job);

 private:
  void start_threads();
  void run_thread();

  const std::size_t thread_count_;
  const std::size_t most_jobs_;
  std::mutex mutex_;
  std::condition_variable job_added_;
  std::deque<std::shared_ptr<PoolJob>> queue_;  // jobs with slices that nobody has begun
  std::size_t unfinished_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace meshward::codec
