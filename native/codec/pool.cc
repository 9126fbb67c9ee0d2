#include "codec/pool.h"

#include <algorithm>
#include <system_error>

namespace meshward::codec {

Pool::~Pool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  job_added_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

bool Pool::submit(const std::shared_ptr<PoolJob>& job) {
  {
    const std::lock_guard lock(mutex_);
    if (unfinished_ >= most_jobs_) return false;
    start_threads();
    if (threads_.empty()) return false;
    queue_.push_back(job);
    unfinished_++;
  }
  // No more than have work to do: each thread that wakes for nothing costs as much as one that does not. One learns of a job
  // without slices, too.
  if (job->slice_count >= thread_count_) {
    job_added_.notify_all();
  } else {
    for (std::size_t i = 0; i < std::max<std::size_t>(1, job->slice_count); i++) job_added_.notify_one();
  }
  return true;
}

/** Where the system refuses more threads (a limit of processes), those that there are do the work; the next job tries again. */
void Pool::start_threads() {
  threads_.reserve(thread_count_);
  try {
    while (threads_.size() < thread_count_) threads_.emplace_back([this] { run_thread(); });
  } catch (const std::system_error&) {
  }
}

void Pool::run_thread() {
  std::unique_lock lock(mutex_);
  while (true) {
    job_added_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    const std::shared_ptr<PoolJob> job = queue_.front();
    if (job->cancelled.load(std::memory_order_relaxed)) job->next_slice = job->slice_count;
    const std::size_t slice = job->next_slice;
    const bool has_slice = slice < job->slice_count;
    if (has_slice) job->next_slice++;
    if (job->next_slice >= job->slice_count) queue_.pop_front();
    if (has_slice) {
      job->slices_running++;
      lock.unlock();
      job->run_slice(slice, job->cancelled);
      lock.lock();
      job->slices_running--;
    }
    if (job->slices_running > 0 || job->next_slice < job->slice_count) continue;
    unfinished_--;
    lock.unlock();
    job->finished();
    lock.lock();
  }
}

}  // namespace meshward::codec
