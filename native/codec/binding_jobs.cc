#include "codec/binding_jobs.h"

#include <algorithm>
#include <thread>

namespace meshward::codec {
namespace {

constexpr std::size_t most_pool_jobs = 256;
constexpr std::size_t most_pool_threads = 16;

/** One for the process; JavaScript threads share it. */
Pool& pool() {
  static Pool shared(std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, most_pool_threads), most_pool_jobs);
  return shared;
}

}  // namespace

ThreadJobs::ThreadJobs(Napi::Env env) {
  const Napi::String name = Napi::String::New(env, "meshward:regenerate");
  NAPI_THROW_IF_FAILED_VOID(env, napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr, nullptr, this,
                                                                 settle_on_thread, &shared_->settle));
  napi_unref_threadsafe_function(env, shared_->settle);
  napi_add_env_cleanup_hook(env, [](void* self) { delete static_cast<ThreadJobs*>(self); }, this);
}

ThreadJobs::~ThreadJobs() {
  for (auto& [id, job] : jobs_) job.pool_job->cancelled = true;
  std::unique_lock lock(shared_->mutex);
  shared_->all_finished.wait(lock, [this] { return shared_->running == 0; });
  napi_release_threadsafe_function(shared_->settle, napi_tsfn_abort);
}

std::uint32_t ThreadJobs::start(Napi::Env env, Batch batch, Napi::Object buffers, Napi::Function on_settled) {
  const std::uint32_t id = next_id_;
  auto pool_job = std::make_shared<PoolJob>();
  const auto shared_batch = std::make_shared<const Batch>(std::move(batch));
  std::vector<Slice> slices = slices_of(*shared_batch, pool().thread_count());
  pool_job->slice_count = slices.size();
  pool_job->run_slice = [shared_batch, slices = std::move(slices)](std::size_t slice, const std::atomic<bool>& cancelled) {
    run_slice(*shared_batch, slices[slice], &cancelled);
  };
  pool_job->finished = [shared = shared_, id] {
    // All under the lock: once `running` is zero the thread may end and the settle function with it.
    const std::lock_guard lock(shared->mutex);
    napi_call_threadsafe_function(shared->settle, reinterpret_cast<void*>(static_cast<std::uintptr_t>(id)), napi_tsfn_nonblocking);
    shared->running--;
    shared->all_finished.notify_all();
  };
  jobs_.emplace(id, Job{pool_job, Napi::Persistent(buffers), Napi::Persistent(on_settled)});
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->running++;
  }
  const auto give_up = [&] {
    const std::lock_guard lock(shared_->mutex);
    shared_->running--;
    jobs_.erase(id);
  };
  try {
    if (!pool().submit(pool_job)) {
      give_up();
      return 0;
    }
  } catch (...) {
    give_up();
    throw;
  }
  if (jobs_.size() == 1) napi_ref_threadsafe_function(env, shared_->settle);
  next_id_ = next_id_ == UINT32_MAX ? 1 : next_id_ + 1;
  return id;
}

void ThreadJobs::cancel(std::uint32_t id) {
  if (const auto found = jobs_.find(id); found != jobs_.end()) found->second.pool_job->cancelled = true;
}

void ThreadJobs::settle_on_thread(napi_env env, napi_value, void* context, void* id) {
  if (env == nullptr) return;  // the thread is ending: nobody waits any more
  static_cast<ThreadJobs*>(context)->settle(env, static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(id)));
}

// No exceptions of C++ here, for nobody would catch them: a thread that is being terminated refuses the call, and then nobody waits
// any more. What the function itself throws stays pending, and is the thread's uncaught exception.
void ThreadJobs::settle(napi_env env, std::uint32_t id) {
  const auto found = jobs_.find(id);
  if (found == jobs_.end()) return;
  const Job job = std::move(found->second);
  jobs_.erase(found);
  if (jobs_.empty()) napi_unref_threadsafe_function(env, shared_->settle);
  napi_value on_settled = nullptr;
  napi_value nothing = nullptr;
  napi_value cancelled = nullptr;
  if (napi_get_reference_value(env, job.on_settled, &on_settled) != napi_ok) return;
  if (napi_get_undefined(env, &nothing) != napi_ok) return;
  if (napi_get_boolean(env, job.pool_job->cancelled, &cancelled) != napi_ok) return;
  napi_call_function(env, nothing, on_settled, 1, &cancelled, nullptr);
}

}  // namespace meshward::codec
