#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "codec/plan.h"

namespace meshward::codec {

/** One regeneration: which shares from which, and where their blocks are. All blocks have the same length. */
struct Regeneration {
  std::shared_ptr<const Plan> plan;
  std::vector<const std::uint8_t*> sources;
  std::vector<std::uint8_t*> outputs;  // in the order of the wanted numbers
  std::size_t length = 0;

  std::size_t products() const { return plan->source_count() * plan->wanted_count() * length; }
};

/** Fills the columns [begin, end) of every output; stops between tiles once `cancelled` is set (null: never). */
void regenerate_columns(const Regeneration& work, std::size_t begin, std::size_t end, const std::atomic<bool>* cancelled);

/**
 * Fills the outputs and hashes all blocks on the way, tile by tile, while the cache has them. `digests`: SHA256d of
 * prefix + block, 32 bytes for each source and then for each output; not written where it was cancelled.
 */
void regenerate_and_hash(const Regeneration& work, std::string_view prefix, std::uint8_t* digests, const std::atomic<bool>* cancelled);

/** Whether an output overlaps a source or an output, of the same or another of these: that would give wrong bytes. */
bool outputs_overlap(const std::vector<Regeneration>& works);

}  // namespace meshward::codec
