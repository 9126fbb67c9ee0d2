#include "codec/regenerate.h"

#include <algorithm>
#include <cstring>

#include "hash/lockstep.h"

namespace meshward::codec {
namespace {

// With hashing, a tile of all sources and outputs should fit the second-level cache: 75 × 8 KiB is well below 1 MiB.
constexpr std::size_t hashed_tile_bytes = 8192;

bool is_set(const std::atomic<bool>* flag) { return flag != nullptr && flag->load(std::memory_order_relaxed); }

}  // namespace

void regenerate_columns(const Regeneration& work, std::size_t begin, std::size_t end, const std::atomic<bool>* cancelled) {
  const Plan& plan = *work.plan;
  std::vector<std::uint8_t*> computed(plan.computed().size());
  for (std::size_t j = 0; j < computed.size(); j++) computed[j] = work.outputs[plan.computed()[j]];
  KernelCall call{work.sources.data(), plan.source_count(), computed.data(), computed.size(), 0, 0, work.length, plan.tables(), plan.toeplitz(),
                  plan.nibble_toeplitz()};
  const std::size_t tile = plan.kernel().columns_a_call;
  for (std::size_t at = begin; at < end; at += tile) {
    if (is_set(cancelled)) return;
    const std::size_t tile_end = std::min(end, at + tile);
    for (const Plan::Copy& copy : plan.copies()) {
      std::memcpy(work.outputs[copy.wanted] + at, work.sources[copy.source] + at, tile_end - at);
    }
    if (computed.empty()) continue;
    call.begin = at;
    call.end = tile_end;
    plan.kernel().run(call);
  }
}

void regenerate_and_hash(const Regeneration& work, std::string_view prefix, std::uint8_t* digests, const std::atomic<bool>* cancelled) {
  const std::vector<const std::uint8_t*> outputs(work.outputs.begin(), work.outputs.end());
  hash::Lockstep source_hashes(prefix, work.sources, work.length);
  hash::Lockstep output_hashes(prefix, outputs, work.length);
  // Later tiles begin where a line of the first output begins, so that kernels need not find it again each time.
  const std::size_t into_line = outputs.empty() ? 0 : reinterpret_cast<std::uintptr_t>(outputs[0]) % 64;
  for (std::size_t at = 0; at < work.length;) {
    if (is_set(cancelled)) return;
    const std::size_t end = std::min(work.length, at + hashed_tile_bytes - (at == 0 ? into_line : 0));
    source_hashes.advance(end);
    regenerate_columns(work, at, end, nullptr);
    output_hashes.advance(end);
    at = end;
  }
  source_hashes.finish(digests);
  output_hashes.finish(digests + work.sources.size() * hash::digest_bytes);
}

bool outputs_overlap(const std::vector<Regeneration>& works) {
  struct Span {
    std::uintptr_t begin;
    std::uintptr_t end;
    bool is_output;
  };
  std::vector<Span> spans;
  for (const Regeneration& work : works) {
    if (work.length == 0) continue;
    const auto add = [&](const std::uint8_t* block, bool is_output) {
      const auto begin = reinterpret_cast<std::uintptr_t>(block);
      spans.push_back({begin, begin + work.length, is_output});
    };
    for (const auto* source : work.sources) add(source, false);
    for (const auto* output : work.outputs) add(output, true);
  }
  std::sort(spans.begin(), spans.end(), [](const Span& a, const Span& b) { return a.begin < b.begin; });
  std::uintptr_t any_end = 0;
  std::uintptr_t output_end = 0;
  for (const Span& span : spans) {
    if (span.begin < (span.is_output ? any_end : output_end)) return true;
    any_end = std::max(any_end, span.end);
    if (span.is_output) output_end = std::max(output_end, span.end);
  }
  return false;
}

}  // namespace meshward::codec
