#pragma once
// The inner loops of the AVX2 kernel. A product with a constant is two look-ups, of the low and of the high four bits of each
// byte, in tables of 16 bytes. Two vectors of columns share the loads of a table, and the halves of a source's bytes, once taken
// apart, serve every output. Everything here has internal linkage.

#include <immintrin.h>

#include "codec/kernel.h"

#define MESHWARD_INLINE inline __attribute__((always_inline))

namespace meshward::codec {
namespace {

constexpr size_t width = 32;
/** Columns gone through at a time: a line of the cache. */
constexpr size_t step = 2 * width;
/** Of a source at a step, taken apart: two vectors of low halves, two of high ones. */
constexpr size_t packed_step_bytes = 2 * step;
/** Four sums of two vectors, four halves, a mask and what is in hand fill the 16 registers. */
constexpr size_t most_outputs = 4;
constexpr size_t store_columns_ahead = 4 * step;

MESHWARD_INLINE __m256i load(const uint8_t* from) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)); }
MESHWARD_INLINE void store(uint8_t* to, __m256i value) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), value); }
MESHWARD_INLINE __m256i table_at(const uint8_t* entry) {
  return _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(entry)));
}
MESHWARD_INLINE __m256i add(__m256i a, __m256i b) { return _mm256_xor_si256(a, b); }
MESHWARD_INLINE __m256i look_up(__m256i table, __m256i halves) { return _mm256_shuffle_epi8(table, halves); }

/** 64 columns of a source, taken apart. */
struct Halves {
  __m256i low[2];
  __m256i high[2];
};

MESHWARD_INLINE Halves halves_of(__m256i a, __m256i b) {
  const __m256i mask = _mm256_set1_epi8(0x0f);
  return {{_mm256_and_si256(a, mask), _mm256_and_si256(b, mask)},
          {_mm256_and_si256(_mm256_srli_epi16(a, 4), mask), _mm256_and_si256(_mm256_srli_epi16(b, 4), mask)}};
}

/** GCC would rather load a value again for each of its uses; loads are as scarce here as products. */
MESHWARD_INLINE __m256i kept(__m256i value) {
  asm("" : "+x"(value));
  return value;
}

MESHWARD_INLINE Halves load_halves(const uint8_t* packed) {
  return {{kept(load(packed)), kept(load(packed + width))}, {kept(load(packed + 2 * width)), kept(load(packed + 3 * width))}};
}

MESHWARD_INLINE void store_halves(uint8_t* packed, const Halves& halves) {
  store(packed, halves.low[0]);
  store(packed + width, halves.low[1]);
  store(packed + 2 * width, halves.high[0]);
  store(packed + 3 * width, halves.high[1]);
}

/** From where a group's sources come: as they are, as they are and packed on the way, packed. */
enum class From { blocks, blocks_and_pack, packed };

struct Group {
  const uint8_t* const* sources;  // without the one that is added to all others
  size_t source_count;
  const uint8_t* added;  // source 0 where it is added to every other and to every output; else null
  const uint8_t* tables;
  uint8_t* const* outputs;
  size_t ahead;  // so many columns further on, the sources' lines are fetched; 0 where they are near
};

/** 64 columns of `outputs` outputs. `packed`: the step's. */
template <int outputs, From from, bool adds>
MESHWARD_INLINE void column_group(const Group& group, size_t at, uint8_t* packed) {
  __m256i sums[outputs][2];
  if constexpr (adds) {
    const __m256i a = load(group.added + at), b = load(group.added + at + width);
    for (int j = 0; j < outputs; j++) {
      sums[j][0] = a;
      sums[j][1] = b;
    }
  } else {
    for (int j = 0; j < outputs; j++) sums[j][0] = sums[j][1] = _mm256_setzero_si256();
  }
  if (group.ahead != 0) {
#pragma GCC unroll 4
    for (int j = 0; j < outputs; j++) __builtin_prefetch(group.outputs[j] + at + store_columns_ahead, 1);
  }
  const uint8_t* table = group.tables;
  // Two sources a turn: the turns of one step are then few enough for the processor to know when they end.
#pragma GCC unroll 2
  for (size_t i = 0; i < group.source_count; i++, table += 32 * outputs, packed += packed_step_bytes) {
    Halves halves;
    if constexpr (from == From::packed) {
      halves = load_halves(packed);
    } else {
      const uint8_t* source = group.sources[i] + at;
      _mm_prefetch(reinterpret_cast<const char*>(source + group.ahead), from == From::blocks ? _MM_HINT_T0 : _MM_HINT_T1);
      __m256i a = load(source), b = load(source + width);
      if constexpr (adds) {
        a = add(a, load(group.added + at));
        b = add(b, load(group.added + at + width));
      }
      halves = halves_of(a, b);
      if constexpr (from == From::blocks_and_pack) store_halves(packed, halves);
    }
#pragma GCC unroll 4
    for (int j = 0; j < outputs; j++) {
      const __m256i by_low = kept(table_at(table + 32 * j));
      const __m256i low[2] = {look_up(by_low, halves.low[0]), look_up(by_low, halves.low[1])};
      const __m256i by_high = kept(table_at(table + 32 * j + 16));
      sums[j][0] = add(sums[j][0], add(low[0], look_up(by_high, halves.high[0])));
      sums[j][1] = add(sums[j][1], add(low[1], look_up(by_high, halves.high[1])));
    }
  }
#pragma GCC unroll 4
  for (int j = 0; j < outputs; j++) {
    store(group.outputs[j] + at, sums[j][0]);
    store(group.outputs[j] + at + width, sums[j][1]);
  }
}

/** Calls run(at) for each step: aligned to the first output's lines but for the first and the last, which share columns with their neighbours. */
template <typename Run>
MESHWARD_INLINE void for_steps(const KernelCall& call, Run run) {
  for (size_t at = call.begin; at < call.end;) {
    run(at + step <= call.end ? at : call.end - step);
    at += step - ((reinterpret_cast<uintptr_t>(call.outputs[0]) + at) & (step - 1));
  }
}

constexpr size_t most_steps = 16;

/** Where the steps of a tile begin: aligned, but for the first and the last of all, which share columns with those beside them. */
struct Tile {
  size_t at[most_steps];
  size_t steps;
};

/** Calls run(tile) for tiles of up to `steps` steps. At least a step. */
template <typename Run>
MESHWARD_INLINE void for_tiles(const KernelCall& call, size_t steps, Run run) {
  size_t at = call.begin;
  Tile tile;
  while (at < call.end) {
    for (tile.steps = 0; tile.steps < steps && at < call.end; tile.steps++) {
      tile.at[tile.steps] = at + step <= call.end ? at : call.end - step;
      // A store across two lines costs more than a load: after the first step as the first output's lines lie.
      at += step - ((reinterpret_cast<uintptr_t>(call.outputs[0]) + at) & (step - 1));
    }
    run(tile);
  }
}

}  // namespace

/** One output; at least a step. */
void run_single_avx2(const KernelCall& call);
/** Two to four sources; at least a step. */
void run_narrow_avx2(const KernelCall& call);
/** Its NibbleToeplitzProgram; at least a step. `is_near`: all blocks lie in a core's own caches. */
void run_toeplitz_avx2(const KernelCall& call, bool is_near);

}  // namespace meshward::codec
