#pragma once

#include <napi.h>

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

#include "codec/batch.h"
#include "codec/pool.h"

namespace meshward::codec {

/** What one JavaScript thread has on the pool. When that thread ends, it waits until no pool thread touches its buffers. */
class ThreadJobs {
 public:
  /** Deletes itself when the thread ends. */
  static ThreadJobs* create(Napi::Env env) { return new ThreadJobs(env); }

  /** The job's id, or 0 where the pool does not take it. `buffers` keeps the blocks' memory. */
  std::uint32_t start(Napi::Env env, Batch batch, Napi::Object buffers, Napi::Function on_settled);
  void cancel(std::uint32_t id);

 private:
  explicit ThreadJobs(Napi::Env env);
  ~ThreadJobs();

  struct Job {
    std::shared_ptr<PoolJob> pool_job;
    Napi::ObjectReference buffers;
    Napi::FunctionReference on_settled;
  };
  /** Outlives the thread for as long as a pool thread is inside `finished`. */
  struct Shared {
    std::mutex mutex;
    std::condition_variable all_finished;
    std::size_t running = 0;
    napi_threadsafe_function settle = nullptr;
  };

  static void settle_on_thread(napi_env env, napi_value, void* context, void* id);
  void settle(napi_env env, std::uint32_t id);

  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
  std::map<std::uint32_t, Job> jobs_;
  std::uint32_t next_id_ = 1;
};

}  // namespace meshward::codec
