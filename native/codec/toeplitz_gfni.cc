// Runs a ToeplitzProgram: about half the products of the other kernels.

#include "codec/toeplitz_pack_gfni.h"

namespace meshward::codec {
namespace {

// On the stack: small enough for any thread.
constexpr size_t scratch_bytes = most_toeplitz_blocks * block_bytes;

template <bool value_>
struct Yes {
  static constexpr bool value = value_;
};

/** y = (accumulating: y +) a 4 × 4 Toeplitz matrix times x, split in two. Matrices: of the shared product, of y0, of y1. */
template <bool accumulate>
MESHWARD_INLINE void multiply_four(Pair* y, const uint64_t* matrices, const Pair x0, const Pair x1, const Pair x2, const Pair x3) {
  const Pair s0 = add(x0, x2), s1 = add(x1, x3);
  const __m512i p_on = broadcast(matrices), p_right = broadcast(matrices + 1), p_below = broadcast(matrices + 2);
  const __m512i u_on = broadcast(matrices + 3), u_right = broadcast(matrices + 4), u_below = broadcast(matrices + 5);
  const __m512i l_on = broadcast(matrices + 6), l_right = broadcast(matrices + 7), l_below = broadcast(matrices + 8);
  if constexpr (accumulate) {
    const Pair a0 = times(s0, p_on), b0 = times(s1, p_right);
    y[0] = add(y[0], a0, b0);
    y[2] = add(y[2], a0, b0);
    const Pair a1 = times(s0, p_below), b1 = times(s1, p_on);
    y[1] = add(y[1], a1, b1);
    y[3] = add(y[3], a1, b1);
    y[0] = add(y[0], times(x2, u_on), times(x3, u_right));
    y[1] = add(y[1], times(x2, u_below), times(x3, u_on));
    y[2] = add(y[2], times(x0, l_on), times(x1, l_right));
    y[3] = add(y[3], times(x0, l_below), times(x1, l_on));
  } else {
    const Pair p0 = add(times(s0, p_on), times(s1, p_right)), p1 = add(times(s0, p_below), times(s1, p_on));
    y[0] = add(p0, times(x2, u_on), times(x3, u_right));
    y[1] = add(p1, times(x2, u_below), times(x3, u_on));
    y[2] = add(p0, times(x0, l_on), times(x1, l_right));
    y[3] = add(p1, times(x0, l_below), times(x1, l_on));
  }
}

/** What a step works on, at one place of the tile. */
struct StepAt {
  const ToeplitzTerm* terms;
  size_t term_count;
  const uint64_t* matrices;
  const uint8_t* blocks;  // the first block here
  const uint8_t* slots;
  const uint16_t* addends;
  size_t addend_count;
};

/** What an 8 × 8 matrix split in two has for both its halves: y = the sum over all terms. */
template <size_t tile_steps>
MESHWARD_INLINE void multiply_shared(Pair* y, const StepAt& here) {
  const auto add_term = [&](size_t t, auto accumulate) __attribute__((always_inline)) {
    const uint64_t* matrices = here.matrices + t * toeplitz_matrices_a_term;
    asm("" : "+r"(matrices));  // or GCC would keep all of them, in memory, over the loop
    const uint8_t* x = part_of<tile_steps>(here.blocks, here.terms[t].block);
    const auto row = [=](int i) __attribute__((always_inline)) { return load(x + i * step); };
    // The zeros of a half block are there to be added.
    const auto sum = [=](int i) __attribute__((always_inline)) { return kept(add(row(i), row(i + 4))); };
    multiply_four<decltype(accumulate)::value>(y, matrices, sum(0), sum(1), sum(2), sum(3));
  };
  add_term(0, Yes<false>{});
  for (size_t t = 1; t < here.term_count; t++) add_term(t, Yes<true>{});
}

/** Adds to y what the upper or lower half of the rows has for itself, and the slots. */
template <size_t tile_steps, bool is_upper>
MESHWARD_INLINE void multiply_own(Pair* y, const StepAt& here) {
  constexpr int row = is_upper ? 0 : 4, column = is_upper ? 4 : 0;
  size_t a = 0;
  const auto addend = [&](size_t which, int j) __attribute__((always_inline)) {
    return load(part_of<tile_steps>(here.slots, here.addends[which]) + (row + j) * step);
  };
  for (; a + 2 <= here.addend_count; a += 2) {
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) y[j] = add(y[j], addend(a, j), addend(a + 1, j));
  }
  if (a < here.addend_count) {
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) y[j] = add(y[j], addend(a, j));
  }
  for (size_t t = 0; t < here.term_count; t++) {
    if (is_upper && here.terms[t].is_half) continue;
    const uint64_t* matrices = here.matrices + t * toeplitz_matrices_a_term + (is_upper ? 9 : 18);
    asm("" : "+r"(matrices));
    const uint8_t* x = part_of<tile_steps>(here.blocks, here.terms[t].block) + column * step;
    const auto at = [=](int i) __attribute__((always_inline)) { return kept(load(x + i * step)); };
    multiply_four<true>(y, matrices, at(0), at(1), at(2), at(3));
  }
}

/** One step of the programme over a tile. Streaming: stores past the caches, and the next tile's lines fetched meanwhile. */
template <size_t tile_steps, bool is_final, bool streams>
void run_step(const KernelCall& call, const ToeplitzStep& now, const ToeplitzTerm* terms, const uint64_t* matrices, size_t at, size_t steps,
              uint8_t* scratch, Prefetch& prefetch) {
  // Copies, since what is stored below might, for all that the compiler knows, change the programme.
  const ToeplitzProgram program = *call.toeplitz;
  const uint8_t* const* sources = call.sources;
  uint8_t* slots = part_of<tile_steps>(scratch, program.column_blocks + program.sum_count);
  StepAt here{terms, now.term_count, matrices, scratch, slots, now.addends, now.addend_count};
  uint8_t* result = is_final ? nullptr : part_of<tile_steps>(slots, now.result);
  const size_t first_row = is_final ? now.result * toeplitz_block_rows : 0;
  const uint64_t* row_scales = program.row_scales + first_row;
  const uint64_t* direct_weights = program.direct_weights + first_row * program.direct_columns;
  const size_t rows = least(toeplitz_block_rows, program.rows - first_row);
  uint8_t* const* outputs = call.outputs + first_row;
  const auto finish = [&](Pair* y, int row) __attribute__((always_inline)) {
    if constexpr (!is_final) {
#pragma GCC unroll 4
      for (int j = 0; j < 4; j++) store(result + (row + j) * step, y[j]);
    } else {
      Pair first{};
      if (program.adds_first_source) {
        first = kept(load_anywhere(sources[0] + at));
#pragma GCC unroll 4
        for (int j = 0; j < 4; j++) y[j] = add(first, times(y[j], broadcast(row_scales + row + j)));
      } else {
#pragma GCC unroll 4
        for (int j = 0; j < 4; j++) y[j] = times(y[j], broadcast(row_scales + row + j));
      }
      for (size_t d = 0; d < program.direct_columns; d++) {
        const Pair value = kept(add(first, load_anywhere(sources[program.first_column + program.columns + d] + at)));
        const uint64_t* weights = direct_weights + row * program.direct_columns + d;
#pragma GCC unroll 4
        for (int j = 0; j < 4; j++) y[j] = add(y[j], times(value, broadcast(weights + j * program.direct_columns)));
      }
#pragma GCC unroll 4
      for (int j = 0; j < 4; j++) {
        if (static_cast<size_t>(row + j) < rows) {
          store_line<streams>(outputs[row + j] + at, y[j].v[0]);
          store_line<streams>(outputs[row + j] + at + width, y[j].v[1]);
        }
      }
    }
  };
  for (size_t s = 0; s < (tile_steps == 1 ? 1 : steps); s++) {
    if (streams) prefetch.fetch();
    Pair shared[4];
    multiply_shared<tile_steps>(shared, here);
    Pair upper[4] = {shared[0], shared[1], shared[2], shared[3]};
    multiply_own<tile_steps, true>(upper, here);
    finish(upper, 0);
    multiply_own<tile_steps, false>(shared, here);
    finish(shared, 4);
    here.blocks += block_bytes;
    here.slots += block_bytes;
    if constexpr (!is_final) result += block_bytes;
    at += step;
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

/** The rows that are not in the programme. */
template <size_t tile_steps>
void run_other_rows(const KernelCall& tile) {
  switch (tile.output_count - tile.toeplitz->rows) {
    case 0: return;
    case 1: return other_rows<tile_steps, 1>(tile);
    case 2: return other_rows<tile_steps, 2>(tile);
    case 3: return other_rows<tile_steps, 3>(tile);
    default: return other_rows<tile_steps, 4>(tile);
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
    const bool has_other_rows = pack<tile_steps>(call, tile.begin, steps, scratch);
    const ToeplitzTerm* terms = program.terms;
    const uint64_t* matrices = program.matrices;
    for (size_t s = 0; s < program.step_count; s++) {
      const ToeplitzStep& now = program.steps[s];
      if (now.is_final) {
        run_step<tile_steps, true, streams>(call, now, terms, matrices, tile.begin, steps, scratch, prefetch);
      } else {
        run_step<tile_steps, false, streams>(call, now, terms, matrices, tile.begin, steps, scratch, prefetch);
      }
      terms += now.term_count;
      matrices += now.term_count * toeplitz_matrices_a_term;
    }
    if (!has_other_rows) run_other_rows<tile_steps>(tile);
  }
}

}  // namespace

void run_toeplitz_gfni(const KernelCall& call, ToeplitzWay way) {
  switch (way) {
    case ToeplitzWay::steps: return run_tiles<tile_steps_of(ToeplitzWay::steps), false>(call);
    case ToeplitzWay::pairs: return run_tiles<tile_steps_of(ToeplitzWay::pairs), false>(call);
    case ToeplitzWay::streams:
      run_tiles<tile_steps_of(ToeplitzWay::streams), true>(call);
      // Streamed stores are not ordered like others; whoever learns that the work is done must find them done.
      _mm_sfence();
      return;
  }
}

}  // namespace meshward::codec
