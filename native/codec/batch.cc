#include "codec/batch.h"

#include <algorithm>

#include "hash/lockstep.h"

namespace meshward::codec {
namespace {

constexpr std::size_t worth_microseconds = 100;
// A slice should outlast the cost of handing it over (a few microseconds) by far, and there should be a few for each
// thread, so that all end together.
constexpr std::size_t least_slice_microseconds = 100;
constexpr std::size_t slices_a_thread = 4;
// Small beside a slice, so that slices of short blocks are nearly equal too.
constexpr std::size_t slice_alignment = 512;
constexpr std::size_t hashed_bytes_a_microsecond = 2500;

std::size_t slice_columns(const Regeneration& work, std::size_t thread_count) {
  const std::size_t products_a_column = std::max<std::size_t>(1, work.plan->source_count() * work.plan->wanted_count());
  const std::size_t least = std::max<std::size_t>(1, least_slice_microseconds * work.plan->kernel().products_per_microsecond / products_a_column);
  std::size_t slices = std::clamp<std::size_t>(work.length / least, 1, thread_count * slices_a_thread);
  // As many for each thread: three slices would keep two threads as long as four.
  if (slices > thread_count) slices -= slices % thread_count;
  const std::size_t columns = (work.length + slices - 1) / slices;
  return std::max<std::size_t>(1, (columns + slice_alignment - 1) / slice_alignment) * slice_alignment;
}

}  // namespace

bool Batch::is_worth_a_thread() const {
  std::size_t microseconds = 0;
  for (const Regeneration& work : works) {
    microseconds += work.products() / work.plan->kernel().products_per_microsecond;
    if (digests != nullptr) microseconds += (work.sources.size() + work.outputs.size()) * work.length / hashed_bytes_a_microsecond;
  }
  return microseconds >= worth_microseconds;
}

std::vector<Slice> slices_of(const Batch& batch, std::size_t thread_count) {
  std::vector<Slice> slices;
  for (std::size_t w = 0; w < batch.works.size(); w++) {
    const Regeneration& work = batch.works[w];
    const std::size_t columns = batch.digests != nullptr ? work.length : slice_columns(work, thread_count);
    std::size_t begin = 0;
    do {
      const std::size_t end = std::min(work.length, begin + columns);
      slices.push_back({w, begin, end});
      begin = end;
    } while (begin < work.length);
  }
  return slices;
}

void run_slice(const Batch& batch, const Slice& slice, const std::atomic<bool>* cancelled) {
  const Regeneration& work = batch.works[slice.work];
  if (batch.digests == nullptr) {
    regenerate_columns(work, slice.begin, slice.end, cancelled);
    return;
  }
  const std::size_t blocks = work.sources.size() + work.outputs.size();  // the same in every work
  regenerate_and_hash(work, batch.prefix, batch.digests + slice.work * blocks * hash::digest_bytes, cancelled);
}

void run_batch(const Batch& batch) {
  for (std::size_t w = 0; w < batch.works.size(); w++) run_slice(batch, {w, 0, batch.works[w].length}, nullptr);
}

}  // namespace meshward::codec
