#include "share-map/sweep_run.h"

#include <algorithm>
#include <system_error>
#include <thread>

namespace meshward::share_map {
namespace {

void merge(SweepPart& to, const SweepPart& from) {
  if (to.totals.by_policy.size() < from.totals.by_policy.size()) to.totals.by_policy.resize(from.totals.by_policy.size());
  for (std::size_t policy = 0; policy < from.totals.by_policy.size(); policy++) {
    const auto& counts = from.totals.by_policy[policy];
    if (!counts) continue;
    auto& sum = to.totals.by_policy[policy];
    if (!sum) sum = std::make_unique<AvailabilityCounts>();
    for (std::size_t available = 0; available <= most_slots; available++) {
      sum->files[available] += counts->files[available];
      sum->bytes[available] += counts->bytes[available];
    }
  }
  to.totals.files_without_manifest += from.totals.files_without_manifest;
  to.totals.settling_files += from.totals.settling_files;
  to.totals.expected_below_k += from.totals.expected_below_k;
  to.totals.expected_below_repair += from.totals.expected_below_repair;
  to.totals.changed_later += from.totals.changed_later;
  to.changed.append(from.changed);
  to.exposure.add(from.exposure);
}

/** Below a millisecond: shorter than what a scheduler gives a thread at a time. */
constexpr std::size_t slabs_between_yields = 16;

SweepSettings for_each_of(SweepSettings settings, std::uint32_t threads) {
  settings.most_changed = std::max<std::uint64_t>(1, settings.most_changed / threads);
  return settings;
}

}  // namespace

SweepRun::SweepRun(const std::vector<std::unique_ptr<Slab>>& slabs, const FileClasses& classes, std::shared_ptr<const PeerTables> tables,
                   const SweepSettings& settings, std::uint32_t threads, std::uint32_t parity, std::uint64_t peers_revision)
    : tables_(std::move(tables)),
      settings_(for_each_of(settings, threads)),
      threads_(threads),
      parity_(parity),
      peers_revision_(peers_revision),
      own_part_(*tables_, classes, settings_) {
  slabs_.reserve(slabs.size());
  for (const auto& slab : slabs) slabs_.push_back(slab.get());
  for (std::uint32_t i = 0; i < threads; i++) parts_.push_back(std::make_unique<SweepPart>(*tables_, classes, settings_));
}

void SweepRun::run() {
  try {
    visit_all();
  } catch (...) {
    finish();
    throw;
  }
  finish();
}

void SweepRun::visit_all() {
  std::vector<std::thread> others;
  others.reserve(parts_.size());
  try {
    for (std::size_t i = 1; i < parts_.size(); i++) others.emplace_back([this, i] { work(*parts_[i]); });
  } catch (const std::system_error&) {
    // The system refuses more threads: those that there are share out all slabs.
  }
  work(*parts_[0]);
  for (std::thread& other : others) other.join();
  if (failure_) std::rethrow_exception(failure_);
  for (std::size_t i = 1; i < parts_.size(); i++) {
    merge(*parts_[0], *parts_[i]);
    parts_[i].reset();
  }
}

void SweepRun::finish() {
  const std::lock_guard held(mutex_);
  is_finished_ = true;
  finished_.notify_all();
}

/** Where memory ends, all threads do. */
void SweepRun::work(SweepPart& part) {
  try {
    visit_slabs(part);
  } catch (...) {
    cancelled_ = true;
    const std::lock_guard held(mutex_);
    failure_ = std::current_exception();
  }
}

void SweepRun::visit_slabs(SweepPart& part) {
  for (std::size_t visited = 1; !cancelled_; visited++) {
    const std::size_t next = next_++;
    if (next >= slabs_.size()) return;
    part.visit_slab(*slabs_[next], parity_);
    // Where cores are short, the scheduler takes this one now, and not with a row in hand that ingest may wait for.
    if (visited % slabs_between_yields == 0) std::this_thread::yield();
  }
}

void SweepRun::wait() {
  std::unique_lock held(mutex_);
  finished_.wait(held, [this] { return is_finished_; });
}

SweepPart& SweepRun::result() {
  merge(*parts_[0], own_part_);
  return *parts_[0];
}

}  // namespace meshward::share_map
