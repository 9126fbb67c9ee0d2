// The AVX2 level, which is all that most processors have: many outputs in groups of four, over a tile of the sources that the first
// group takes apart and copies together, so that the others need neither, and blocks may lie as they like. Limits were measured.

#include <string.h>

#include "codec/columns_avx2.h"

namespace meshward::codec {
namespace {

// Of a tile, where one step is not more: in the first-level cache beside a group's tables and outputs.
constexpr size_t packed_bytes = 16 * 1024;
// Above this, blocks come from beyond a core's own cache.
constexpr size_t near_cached_bytes = 512 * 1024;
// How far ahead sources are fetched that are gone through once; those that are packed, by the next tile.
constexpr size_t columns_ahead = 1024;
// Adding source 0 to all others costs an addition each, and spares a product in each output.
constexpr size_t outputs_worth_adding(size_t sources) { return sources / 3 + 1; }

// A function for each, so that none keeps what another needs in a register.
template <int outputs, From from, bool adds>
__attribute__((noinline)) void tile_group(const Group& group, const Tile& tile, uint8_t* packed) {
  for (size_t s = 0; s < tile.steps; s++) {
    column_group<outputs, from, adds>(group, tile.at[s], packed);
    if constexpr (from != From::blocks) packed += group.source_count * packed_step_bytes;
  }
}

template <From from, bool adds>
void run_group(size_t outputs, const Group& group, const Tile& tile, uint8_t* packed) {
  switch (outputs) {
    case 1: return tile_group<1, from, adds>(group, tile, packed);
    case 2: return tile_group<2, from, adds>(group, tile, packed);
    case 3: return tile_group<3, from, adds>(group, tile, packed);
    default: return tile_group<4, from, adds>(group, tile, packed);
  }
}

template <bool adds>
void run_tile(const KernelCall& call, const Tile& tile, size_t ahead, uint8_t* packed) {
  Group group{call.sources + (adds ? 1 : 0), call.source_count - (adds ? 1 : 0), call.sources[0], nullptr, call.outputs, ahead};
  const bool packs = call.output_count > most_outputs;
  for (size_t first = 0; first < call.output_count;) {
    const size_t outputs = group_size(call.output_count - first, most_outputs);
    group.tables = static_cast<const uint8_t*>(call.tables) + 32 * (first * call.source_count + (adds ? outputs : 0));
    group.outputs = call.outputs + first;
    if (!packs) {
      run_group<From::blocks, adds>(outputs, group, tile, packed);
    } else if (first == 0) {
      run_group<From::blocks_and_pack, adds>(outputs, group, tile, packed);
    } else {
      run_group<From::packed, adds>(outputs, group, tile, packed);
    }
    first += outputs;
  }
}

bool is_near(const KernelCall& call) { return (call.source_count + call.output_count) * call.length <= near_cached_bytes; }

template <bool adds>
void run_tiles(const KernelCall& call) {
  alignas(64) uint8_t packed[256 * packed_step_bytes];
  const size_t fit = packed_bytes / (packed_step_bytes * call.source_count);
  const size_t steps = fit < 1 ? 1 : fit > most_steps ? most_steps : fit;
  const size_t ahead = is_near(call) ? 0 : call.output_count > most_outputs ? steps * step : columns_ahead;
  for_tiles(call, steps, [&](const Tile& tile) { run_tile<adds>(call, tile, ahead, packed); });
}

/** Fewer columns than a step go through buffers, so that nothing beyond a block is read or written. */
void run_short(const KernelCall& call) {
  const size_t columns = call.end - call.begin;
  uint8_t copies[256][step];
  uint8_t results[256][step];
  const uint8_t* sources[256];
  uint8_t* outputs[256];
  for (size_t i = 0; i < call.source_count; i++) {
    memset(copies[i], 0, step);
    memcpy(copies[i], call.sources[i] + call.begin, columns);
    sources[i] = copies[i];
  }
  for (size_t j = 0; j < call.output_count; j++) outputs[j] = results[j];
  KernelCall whole = call;
  whole.sources = sources;
  whole.outputs = outputs;
  whole.begin = 0;
  whole.end = step;
  run_tiles<false>(whole);
  for (size_t j = 0; j < call.output_count; j++) memcpy(call.outputs[j] + call.begin, results[j], columns);
}

void run_avx2(const KernelCall& call) {
  if (call.output_count == 0 || call.begin == call.end) return;
  if (call.end - call.begin < step) return run_short(call);
  if (call.output_count == 1 && call.source_count > 1) return run_single_avx2(call);
  if (call.source_count >= 2 && call.source_count <= 4) return run_narrow_avx2(call);
  if (call.nibble_toeplitz != nullptr) return run_toeplitz_avx2(call, is_near(call));
  if (call.output_count >= outputs_worth_adding(call.source_count)) {
    run_tiles<true>(call);
  } else {
    run_tiles<false>(call);
  }
}

}  // namespace

const Kernel avx2_kernel{32, fill_nibble_table, run_avx2, 256 * 1024, 60'000, Kernel::Runs::nibble_toeplitz, most_outputs};

}  // namespace meshward::codec
