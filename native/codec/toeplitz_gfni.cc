// Runs a ToeplitzProgram: about half the products of the other kernels.

#include "codec/columns_gfni.h"

namespace meshward::codec {
namespace {

constexpr size_t step = 2 * width;
constexpr size_t block_bytes = toeplitz_block_rows * step;  // of a block, a sum or a slot, for 128 columns of the shares
// On the stack: small enough for any thread.
constexpr size_t scratch_bytes = most_toeplitz_blocks * block_bytes;

/** 128 columns of a share. */
struct Pair {
  __m512i v[2];
};

MESHWARD_INLINE Pair load(const uint8_t* from) { return {{_mm512_load_si512(from), _mm512_load_si512(from + width)}}; }
MESHWARD_INLINE Pair load_anywhere(const uint8_t* from) { return {{_mm512_loadu_si512(from), _mm512_loadu_si512(from + width)}}; }
MESHWARD_INLINE void store(uint8_t* to, const Pair& value) {
  _mm512_store_si512(to, value.v[0]);
  _mm512_store_si512(to + width, value.v[1]);
}
/** Streaming: past the caches. */
template <bool streams>
MESHWARD_INLINE void store_line(uint8_t* to, __m512i value) {
  if constexpr (streams) {
    _mm512_stream_si512(reinterpret_cast<__m512i*>(to), value);
  } else {
    _mm512_storeu_si512(to, value);
  }
}

/** GCC would rather load a value again for each of its uses. */
MESHWARD_INLINE Pair kept(Pair value) {
  asm("" : "+v"(value.v[0]), "+v"(value.v[1]));
  return value;
}
MESHWARD_INLINE Pair times(const Pair& a, __m512i matrix) { return {{times(a.v[0], matrix), times(a.v[1], matrix)}}; }
MESHWARD_INLINE Pair add(const Pair& a, const Pair& b) { return {{_mm512_xor_si512(a.v[0], b.v[0]), _mm512_xor_si512(a.v[1], b.v[1])}}; }
MESHWARD_INLINE Pair add(const Pair& a, const Pair& b, const Pair& c) {
  return {{xor_of(a.v[0], b.v[0], c.v[0]), xor_of(a.v[1], b.v[1], c.v[1])}};
}

/** y = (accumulating: y +) a 4 × 4 Toeplitz matrix times x, split in two. Matrices: of the shared product, of y0, of y1. */
template <bool accumulate>
MESHWARD_INLINE void multiply_four(Pair* y, const uint64_t* matrices, const Pair x0, const Pair x1, const Pair x2, const Pair x3) {
  const Pair s0 = add(x0, x2), s1 = add(x1, x3);
  const __m512i p_on = broadcast(matrices), p_right = broadcast(matrices + 1), p_below = broadcast(matrices + 2);
  const Pair p0 = add(times(s0, p_on), times(s1, p_right)), p1 = add(times(s0, p_below), times(s1, p_on));
  const __m512i u_on = broadcast(matrices + 3), u_right = broadcast(matrices + 4), u_below = broadcast(matrices + 5);
  const __m512i l_on = broadcast(matrices + 6), l_right = broadcast(matrices + 7), l_below = broadcast(matrices + 8);
  if constexpr (accumulate) {
    y[0] = add(y[0], p0);
    y[1] = add(y[1], p1);
    y[2] = add(y[2], p0);
    y[3] = add(y[3], p1);
    y[0] = add(y[0], times(x2, u_on), times(x3, u_right));
    y[1] = add(y[1], times(x2, u_below), times(x3, u_on));
    y[2] = add(y[2], times(x0, l_on), times(x1, l_right));
    y[3] = add(y[3], times(x0, l_below), times(x1, l_on));
  } else {
    y[0] = add(p0, times(x2, u_on), times(x3, u_right));
    y[1] = add(p1, times(x2, u_below), times(x3, u_on));
    y[2] = add(p0, times(x0, l_on), times(x1, l_right));
    y[3] = add(p1, times(x0, l_below), times(x1, l_on));
  }
}

/** y = an 8 × 8 Toeplitz matrix times the block x, split in two twice: 36 products instead of 64. */
MESHWARD_INLINE void multiply_eight(Pair* y, const uint64_t* matrices, const uint8_t* x) {
  const auto row = [=](int i) __attribute__((always_inline)) { return kept(load(x + i * step)); };
  const auto sum = [=](int i) __attribute__((always_inline)) { return add(load(x + i * step), load(x + (i + 4) * step)); };
  multiply_four<false>(y, matrices, sum(0), sum(1), sum(2), sum(3));
#pragma GCC unroll 4
  for (int j = 0; j < 4; j++) y[4 + j] = y[j];
  multiply_four<true>(y, matrices + 9, row(4), row(5), row(6), row(7));
  multiply_four<true>(y + 4, matrices + 18, row(0), row(1), row(2), row(3));
}

/** Scratch memory: for each block (columns, then sums), then for each slot, its rows at each step of the tile. */
template <size_t tile_steps>
MESHWARD_INLINE uint8_t* part_of(uint8_t* scratch, size_t block) {
  return scratch + block * tile_steps * block_bytes;
}

template <size_t tile_steps>
void pack(const KernelCall& call, size_t at, size_t steps, uint8_t* scratch) {
  const ToeplitzProgram& program = *call.toeplitz;
  for (size_t i = 0; i < program.columns; i++) {
    const uint8_t* from = call.sources[program.first_column + i] + at;
    const __m512i scale = broadcast(program.column_scales + i);
    uint8_t* to = part_of<tile_steps>(scratch, i / toeplitz_block_rows) + i % toeplitz_block_rows * step;
    for (size_t s = 0; s < steps; s++, to += block_bytes, from += step) store(to, times(load_anywhere(from), scale));
  }
  for (size_t s = 0; s < program.sum_count; s++) {
    const uint8_t* a = part_of<tile_steps>(scratch, program.sums[s].a);
    const uint8_t* b = part_of<tile_steps>(scratch, program.sums[s].b);
    uint8_t* to = part_of<tile_steps>(scratch, program.column_blocks + s);
    for (size_t j = 0; j < steps * block_bytes; j += step) store(to + j, add(load(a + j), load(b + j)));
  }
}

/** One step of the programme over a tile. Streaming: stores past the caches, and the next tile's lines fetched meanwhile. */
template <size_t tile_steps, bool is_final, bool streams>
void run_step(const KernelCall& call, const ToeplitzStep& now, const uint64_t* matrices, size_t at, size_t steps, uint8_t* scratch,
              Prefetch& prefetch) {
  // Copies, since what is stored below might, for all that the compiler knows, change the programme.
  const ToeplitzProgram program = *call.toeplitz;
  const uint8_t* const* sources = call.sources;
  uint8_t* slots = part_of<tile_steps>(scratch, program.column_blocks + program.sum_count);
  const uint8_t* x = part_of<tile_steps>(scratch, now.block);
  const size_t addend_count = now.addend_count;
  const uint8_t* addends[most_toeplitz_addends];
  for (size_t a = 0; a < addend_count; a++) addends[a] = part_of<tile_steps>(slots, now.addends[a]);
  uint8_t* result = part_of<tile_steps>(slots, now.result);
  const size_t row = now.result * toeplitz_block_rows;
  const uint64_t* row_scales = program.row_scales + row;
  const uint64_t* direct_weights = program.direct_weights + row * program.direct_columns;
  const size_t rows = is_final ? least(toeplitz_block_rows, program.rows - row) : 0;
  uint8_t* const* outputs = call.outputs + row;
  for (size_t s = 0; s < (tile_steps == 1 ? 1 : steps); s++, x += block_bytes, at += step) {
    if (streams) prefetch.fetch();
    asm("" : "+r"(matrices));  // or GCC would keep all of them, in memory, over the loop
    if constexpr (is_final && tile_steps == 1) {
      // The lines come for writing while the products are made, not when the stores wait for them.
#pragma GCC unroll 8
      for (size_t j = 0; j < 8; j++) {
        if (j < rows) {
          __builtin_prefetch(outputs[j] + at, 1);
          __builtin_prefetch(outputs[j] + at + width, 1);
        }
      }
    }
    Pair y[toeplitz_block_rows];
    multiply_eight(y, matrices, x);
    size_t a = 0;
    for (; a + 2 <= addend_count; a += 2) {
      const uint8_t* first = addends[a] + s * block_bytes;
      const uint8_t* second = addends[a + 1] + s * block_bytes;
#pragma GCC unroll 8
      for (int j = 0; j < 8; j++) y[j] = add(y[j], load(first + j * step), load(second + j * step));
    }
    if (a < addend_count) {
      const uint8_t* last = addends[a] + s * block_bytes;
#pragma GCC unroll 8
      for (int j = 0; j < 8; j++) y[j] = add(y[j], load(last + j * step));
    }
    if constexpr (!is_final) {
#pragma GCC unroll 8
      for (int j = 0; j < 8; j++) store(result + s * block_bytes + j * step, y[j]);
    } else {
#pragma GCC unroll 8
      for (int j = 0; j < 8; j++) y[j] = times(y[j], broadcast(row_scales + j));
      for (size_t d = 0; d < program.direct_columns; d++) {
        const Pair value = kept(load_anywhere(sources[d < program.first_column ? d : d + program.columns] + at));
        const uint64_t* weights = direct_weights + d;
#pragma GCC unroll 8
        for (int j = 0; j < 8; j++) y[j] = add(y[j], times(value, broadcast(weights + j * program.direct_columns)));
      }
#pragma GCC unroll 8
      for (size_t j = 0; j < 8; j++) {
        if (j < rows) {
          store_line<streams>(outputs[j] + at, y[j].v[0]);
          store_line<streams>(outputs[j] + at + width, y[j].v[1]);
        }
      }
    }
  }
}

template <size_t tile_steps, int rows>
MESHWARD_INLINE void other_rows(const KernelCall& tile) {
  const size_t first = tile.toeplitz->rows;
  if constexpr (tile_steps == 1) {
    // Too few columns for the wide form of an output group, whose remainder goes vector by vector.
    column_group<rows, 2, false, false>(tile, first, tile.begin, 0);
  } else {
    output_group<rows, false>(tile, first);
  }
}

/** The rows that are not in the programme: fewer than eight. */
template <size_t tile_steps>
void run_other_rows(const KernelCall& tile) {
  switch (tile.output_count - tile.toeplitz->rows) {
    case 0: return;
    case 1: return other_rows<tile_steps, 1>(tile);
    case 2: return other_rows<tile_steps, 2>(tile);
    case 3: return other_rows<tile_steps, 3>(tile);
    case 4: return other_rows<tile_steps, 4>(tile);
    case 5: return other_rows<tile_steps, 5>(tile);
    case 6: return other_rows<tile_steps, 6>(tile);
    default: return other_rows<tile_steps, 7>(tile);
  }
}

template <size_t tile_steps, bool streams>
void run_tiles(const KernelCall& call) {
  const ToeplitzProgram& program = *call.toeplitz;
  alignas(64) uint8_t scratch[scratch_bytes];
  // Columns that fill up the last block are zero and stay so.
  for (size_t i = program.columns; i < program.column_blocks * toeplitz_block_rows; i++) {
    for (size_t s = 0; s < tile_steps; s++) {
      const __m512i zero = _mm512_setzero_si512();
      store(part_of<tile_steps>(scratch, i / toeplitz_block_rows) + s * block_bytes + i % toeplitz_block_rows * step, {{zero, zero}});
    }
  }
  KernelCall tile = call;
  for (; tile.begin < call.end; tile.begin = tile.end) {
    tile.end = least(call.end, tile.begin + tile_steps * step);
    const size_t steps = (tile.end - tile.begin) / step;
    Prefetch prefetch = Prefetch::spread(call, tile.end, tile_steps * step, program.step_count * steps);
    pack<tile_steps>(call, tile.begin, steps, scratch);
    const uint64_t* matrices = program.matrices;
    for (size_t s = 0; s < program.step_count; s++, matrices += toeplitz_matrices_a_step) {
      const ToeplitzStep& now = program.steps[s];
      if (now.is_final) {
        run_step<tile_steps, true, streams>(call, now, matrices, tile.begin, steps, scratch, prefetch);
      } else {
        run_step<tile_steps, false, streams>(call, now, matrices, tile.begin, steps, scratch, prefetch);
      }
    }
    run_other_rows<tile_steps>(tile);
  }
}

}  // namespace

void run_toeplitz_gfni(const KernelCall& call, ToeplitzWay way) {
  switch (way) {
    case ToeplitzWay::steps: return run_tiles<1, false>(call);
    case ToeplitzWay::tiles: return run_tiles<toeplitz_tile_steps, false>(call);
    case ToeplitzWay::streams:
      run_tiles<toeplitz_tile_steps, true>(call);
      // Streamed stores are not ordered like others; whoever learns that the work is done must find them done.
      _mm_sfence();
      return;
  }
}

}  // namespace meshward::codec
