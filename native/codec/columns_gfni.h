#pragma once
// The inner loops of the GFNI kernels. Multiplying by a constant is linear over bits, and gf2p8affineqb applies an 8 x 8 bit
// matrix to 64 bytes at once. (gf2p8mulb is of no use: its polynomial is another.) Everything here has internal linkage.

#include <immintrin.h>

#include "codec/kernel.h"

#define MESHWARD_INLINE inline __attribute__((always_inline))

namespace meshward::codec {
namespace {

constexpr size_t width = 64;
// 10 sums of two vectors, four values and a few matrices and products fill the 32 registers.
constexpr size_t most_outputs = 10;

MESHWARD_INLINE __m512i broadcast(const uint64_t* matrix) {
  __m512i value = _mm512_set1_epi64(static_cast<long long>(*matrix));
#if defined(__clang__)
  // Clang 14 folds the broadcast into the instruction and encodes its offset wrongly (eight times too far). Keep it in a register.
  asm("" : "+v"(value));
#endif
  return value;
}

MESHWARD_INLINE __m512i times(__m512i value, __m512i matrix) { return _mm512_gf2p8affine_epi64_epi8(value, matrix, 0); }

MESHWARD_INLINE __m512i xor_of(__m512i a, __m512i b, __m512i c) { return _mm512_ternarylogic_epi64(a, b, c, 0x96); }

/** `vectors` × 64 columns of `outputs` outputs; of the last vector only the columns in `last`. Accumulating adds to what is there. */
template <int outputs, int vectors, bool masked, bool accumulate>
MESHWARD_INLINE void column_group(const KernelCall& call, size_t first, size_t at, __mmask64 last) {
  const auto load = [=](const uint8_t* from, int v) __attribute__((always_inline)) {
    return masked && v == vectors - 1 ? _mm512_maskz_loadu_epi8(last, from + v * width) : _mm512_loadu_si512(from + v * width);
  };
  __m512i sums[outputs][vectors];
#pragma GCC unroll 16
  for (int j = 0; j < outputs; j++) {
#pragma GCC unroll 8
    for (int v = 0; v < vectors; v++) sums[j][v] = accumulate ? load(call.outputs[first + j] + at, v) : _mm512_setzero_si512();
  }
  const size_t stride = call.output_count;
  const auto* table = static_cast<const uint64_t*>(call.tables) + first;
  const uint8_t* const* source = call.sources;
  const uint8_t* const* end = source + (call.source_count & ~size_t{1});
  // Two sources a step: one ternary xor folds both products into a sum.
  for (; source != end; source += 2, table += 2 * stride) {
    __m512i a[vectors];
    __m512i b[vectors];
#pragma GCC unroll 8
    for (int v = 0; v < vectors; v++) a[v] = load(source[0] + at, v);
#pragma GCC unroll 8
    for (int v = 0; v < vectors; v++) b[v] = load(source[1] + at, v);
#pragma GCC unroll 16
    for (int j = 0; j < outputs; j++) {
      const __m512i by_a = broadcast(table + j);
      const __m512i by_b = broadcast(table + stride + j);
#pragma GCC unroll 8
      for (int v = 0; v < vectors; v++) sums[j][v] = xor_of(sums[j][v], times(a[v], by_a), times(b[v], by_b));
    }
  }
  if (call.source_count & 1) {
#pragma GCC unroll 8
    for (int v = 0; v < vectors; v++) {
      const __m512i a = load(source[0] + at, v);
#pragma GCC unroll 16
      for (int j = 0; j < outputs; j++) sums[j][v] = _mm512_xor_si512(sums[j][v], times(a, broadcast(table + j)));
    }
  }
#pragma GCC unroll 16
  for (int j = 0; j < outputs; j++) {
    uint8_t* to = call.outputs[first + j] + at;
#pragma GCC unroll 8
    for (int v = 0; v < vectors; v++) {
      if (masked && v == vectors - 1) {
        _mm512_mask_storeu_epi8(to + v * width, last, sums[j][v]);
      } else {
        _mm512_storeu_si512(to + v * width, sums[j][v]);
      }
    }
  }
}

MESHWARD_INLINE size_t least(size_t a, size_t b) { return a < b ? a : b; }

/** Takes the lines of the next tile's sources into the second-level cache, a few at every turn of this tile's work. */
struct Prefetch {
  const uint8_t* const* sources;
  size_t source_count;
  size_t at;
  size_t lines;  // of each source
  size_t lines_a_turn;
  size_t source = 0;
  size_t line = 0;

  /** For the tile that begins at `next`, over `turns` turns. */
  static Prefetch spread(const KernelCall& call, size_t next, size_t tile_columns, size_t turns) {
    const size_t lines = least(call.end - next, tile_columns) / 64;
    return {call.sources, lines == 0 ? 0 : call.source_count, next, lines, (call.source_count * lines + turns - 1) / turns};
  }

  MESHWARD_INLINE void fetch() {
    for (size_t count = lines_a_turn; count > 0 && source < source_count; count--) {
      _mm_prefetch(reinterpret_cast<const char*>(sources[source] + at + line * 64), _MM_HINT_T1);
      if (++line == lines) {
        line = 0;
        source++;
      }
    }
  }
};

/** Goes on from `at` for as long as there are `vectors` × 64 columns. Returns where it ended. */
template <int outputs, int vectors, bool accumulate>
MESHWARD_INLINE size_t whole_groups(const KernelCall& call, size_t first, size_t at) {
  for (; at + vectors * width <= call.end; at += vectors * width) column_group<outputs, vectors, false, accumulate>(call, first, at, 0);
  return at;
}

template <int outputs, bool accumulate>
void output_group(const KernelCall& call, size_t first) {
  // Fewer outputs leave registers for more columns, which share the loads of the matrices; and long visits to each source are
  // what a single output takes its time from.
  size_t at = call.begin;
  if constexpr (outputs == 1) at = whole_groups<outputs, 8, accumulate>(call, first, at);
  at = whole_groups<outputs, outputs <= 4 ? 4 : 2, accumulate>(call, first, at);
  for (; at < call.end; at += width) {
    const size_t rest = call.end - at;
    column_group<outputs, 1, true, accumulate>(call, first, at, rest >= width ? ~__mmask64{0} : (__mmask64{1} << rest) - 1);
  }
}

/** Calls run(first, size) for groups of nearly equal size: a small last one would load as much for less work. */
template <typename Run>
MESHWARD_INLINE void for_groups(size_t count, size_t most, Run run) {
  size_t first = 0;
  for (size_t groups = (count + most - 1) / most; groups > 0; groups--) {
    const size_t size = (count - first + groups - 1) / groups;
    run(first, size);
    first += size;
  }
}

}  // namespace

/**
 * For at most four sources; `alias`: sources and outputs compete for the same few lines of the cache. Takes whole vectors only:
 * `end - begin` is a multiple of 64.
 */
void run_narrow_gfni(const KernelCall& call, bool alias);
/** Whether it goes through the sources only once, so that cutting the columns into tiles would bring nothing. */
bool is_one_narrow_group(const KernelCall& call);

/**
 * For many outputs: copies a tile of the sources together first, so that neither alignment nor page borders matter after.
 * Takes whole steps only: `end - begin` is a multiple of 128.
 */
void run_packed_gfni(const KernelCall& call, bool from_memory);

/**
 * How many columns of all shares are gone through at a time. Steps: 128, which spares the first-level cache. Pairs: 256, so that
 * each share is at hand for longer where they come from another cache, and for less often where they fight for the same few
 * lines of this one. Streams, for what comes from memory: 512, with stores that go past the caches.
 */
enum class ToeplitzWay { steps, pairs, streams };

/** In steps of 128 columns. */
constexpr size_t tile_steps_of(ToeplitzWay way) { return way == ToeplitzWay::steps ? 1 : way == ToeplitzWay::pairs ? 2 : 4; }

constexpr bool fits(const ToeplitzProgram& program, ToeplitzWay way) {
  return (program.column_blocks + program.sum_count + program.slots) * tile_steps_of(way) <= most_toeplitz_blocks;
}

/**
 * Runs the call's Toeplitz programme, whichever way it fits; streams where every output begins at a line of 64 bytes. Takes
 * whole steps only: `end - begin` is a multiple of 128.
 */
void run_toeplitz_gfni(const KernelCall& call, ToeplitzWay way);

}  // namespace meshward::codec
