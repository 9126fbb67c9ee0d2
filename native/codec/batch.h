#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "codec/regenerate.h"

namespace meshward::codec {

/** Regenerations of one plan, such as the segments of a file; each has its own block length. */
struct Batch {
  std::vector<Regeneration> works;
  /** Where the digests of all blocks go, work by work as regenerate_and_hash orders them; null: no hashing. */
  std::uint8_t* digests = nullptr;
  std::string prefix;

  /** Whether it takes long enough (about a tenth of a millisecond) to be worth handing to another thread. */
  bool is_worth_a_thread() const;
};

/** A part of a batch that can run beside the others. */
struct Slice {
  std::size_t work;
  std::size_t begin;
  std::size_t end;
};

/** By columns; where blocks are hashed, which goes from their beginning to their end, by whole works. */
std::vector<Slice> slices_of(const Batch& batch, std::size_t thread_count);

void run_slice(const Batch& batch, const Slice& slice, const std::atomic<bool>* cancelled);

void run_batch(const Batch& batch);

}  // namespace meshward::codec
