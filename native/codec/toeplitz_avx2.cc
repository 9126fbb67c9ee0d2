// Runs a NibbleToeplitzProgram: a third of the look-ups of the other kernels, and some additions. Loads are the limit: two vectors of
// columns share those of a table, and the upper and the lower rows of a block are finished one after the other, which is what fits
// into 16 registers.

#include "codec/columns_avx2.h"

namespace meshward::codec {
namespace {

constexpr size_t block_rows = nibble_block_rows;
// At a step: of a block or a sum, its columns' halves; of a slot, its rows.
constexpr size_t block_bytes = block_rows * packed_step_bytes;
constexpr size_t slot_bytes = block_rows * step;
constexpr size_t scratch_bytes = most_nibble_blocks * block_bytes + most_nibble_slots * slot_bytes;
// Of the scratch memory, where one step is not more: in the caches beside the tables.
constexpr size_t tile_bytes = 24 * 1024;

struct Scratch {
  uint8_t* blocks;
  uint8_t* slots;
  size_t steps;  // of a tile

  uint8_t* column(size_t c, size_t s) const { return block(c / block_rows) + s * block_bytes + c % block_rows * packed_step_bytes; }
  uint8_t* block(size_t which) const { return blocks + which * steps * block_bytes; }
  uint8_t* slot(size_t which) const { return slots + which * steps * slot_bytes; }
};

/** 64 columns of a share, or a half of each of their bytes. */
struct Pair {
  __m256i v[2];
};

MESHWARD_INLINE Pair load_pair(const uint8_t* from) { return {{load(from), load(from + width)}}; }
MESHWARD_INLINE void store_pair(uint8_t* to, const Pair& value) {
  store(to, value.v[0]);
  store(to + width, value.v[1]);
}
MESHWARD_INLINE Pair add(const Pair& a, const Pair& b) { return {{add(a.v[0], b.v[0]), add(a.v[1], b.v[1])}}; }
MESHWARD_INLINE Pair kept(const Pair& value) { return {{kept(value.v[0]), kept(value.v[1])}}; }
MESHWARD_INLINE Pair look_up(const uint8_t* table, const Pair& halves) {
  const __m256i products = kept(table_at(table));
  return {{look_up(products, halves.v[0]), look_up(products, halves.v[1])}};
}
MESHWARD_INLINE Pair times(const Pair& value, const uint8_t* table) {
  const Halves halves = halves_of(value.v[0], value.v[1]);
  return add(look_up(table, {{halves.low[0], halves.low[1]}}), look_up(table + 16, {{halves.high[0], halves.high[1]}}));
}

/** GCC would rather keep, in memory, what it loaded from there before. */
MESHWARD_INLINE void forget(const uint8_t*& from) { asm volatile("" : "+r"(from)); }

/** What a step works on, at one place of the tile. */
struct StepAt {
  const Scratch& scratch;
  const ToeplitzStep now;  // a copy, since what is stored might, for all that the compiler knows, change the programme
  const uint16_t* term_blocks;
  const uint8_t* tables;
  size_t s;  // which of the tile's steps

  const uint8_t* block(size_t t) const { return scratch.block(term_blocks[t]) + s * block_bytes; }
  const uint8_t* tables_of(size_t t) const { return tables + t * 32 * nibble_tables_a_term; }
};

/** Low (0) or high (1) halves of a block's column. */
MESHWARD_INLINE Pair column(const uint8_t* block, size_t c, size_t half) { return load_pair(block + c * packed_step_bytes + half * step); }

/** What the upper and the lower two rows of a step share, of all its terms: for the even and the odd row. */
template <bool is_single>
MESHWARD_INLINE void multiply_shared(Pair& even, Pair& odd, const StepAt& here) {
  Pair both{};
  for (size_t t = 0; t < (is_single ? 1 : here.now.term_count); t++) {
    const uint8_t* x = here.block(t);
    forget(x);
    const uint8_t* tables = here.tables_of(t);
#pragma GCC unroll 2
    for (size_t half = 0; half < 2; half++, tables += 16) {
      const Pair s0 = kept(add(column(x, 0, half), column(x, 2, half))), s1 = kept(add(column(x, 1, half), column(x, 3, half)));
      even = kept(add(even, look_up(tables + 32, s1)));
      odd = kept(add(odd, look_up(tables + 64, s0)));
      both = kept(add(both, look_up(tables, add(s0, s1))));
    }
  }
  even = add(even, both);
  odd = add(odd, both);
}

/** Adds what the upper or the lower two rows have for themselves, and the slots. */
template <bool is_upper, bool is_single>
MESHWARD_INLINE void multiply_own(Pair& even, Pair& odd, const StepAt& here) {
  constexpr size_t row = is_upper ? 0 : 2, first = is_upper ? 2 : 0;
  for (size_t t = 0; t < (is_single ? 1 : here.now.term_count); t++) {
    const uint8_t* x = here.block(t);
    forget(x);
    const uint8_t* tables = here.tables_of(t) + (is_upper ? 96 : 192);
    Pair both{};
#pragma GCC unroll 2
    for (size_t half = 0; half < 2; half++, tables += 16) {
      const Pair x0 = kept(column(x, first, half)), x1 = kept(column(x, first + 1, half));
      even = kept(add(even, look_up(tables + 32, x1)));
      odd = kept(add(odd, look_up(tables + 64, x0)));
      both = kept(add(both, look_up(tables, add(x0, x1))));
    }
    even = kept(add(even, both));
    odd = kept(add(odd, both));
  }
  for (size_t a = 0; a < here.now.addend_count; a++) {
    const uint8_t* slot = here.scratch.slot(here.now.addends[a]) + here.s * slot_bytes + row * step;
    even = kept(add(even, load_pair(slot)));
    odd = kept(add(odd, load_pair(slot + step)));
  }
}

/** The columns, each plus source 0 where that is added, scaled and taken apart; then the sums of blocks. */
template <bool adds>
void pack(const KernelCall& call, const Tile& tile, size_t ahead, const Scratch& scratch) {
  const NibbleToeplitzProgram program = *call.nibble_toeplitz;
  const uint8_t* const* sources = call.sources + program.first_column;
  for (size_t s = 0; s < tile.steps; s++) {
    const size_t at = tile.at[s];
    const Pair first = adds ? load_pair(call.sources[0] + at) : Pair{};
    const uint8_t* table = program.column_scales;
    uint8_t* block = scratch.blocks + s * block_bytes;
    for (size_t c = 0; c < program.columns; block += scratch.steps * block_bytes) {
      for (size_t in_block = 0; in_block < block_rows && c < program.columns; in_block++, c++, table += 32) {
        const uint8_t* from = sources[c] + at;
        if (ahead != 0) _mm_prefetch(reinterpret_cast<const char*>(from + ahead), _MM_HINT_T0);
        Pair value = load_pair(from);
        if constexpr (adds) value = add(value, first);
        const Pair scaled = times(value, table);
        store_halves(block + in_block * packed_step_bytes, halves_of(scaled.v[0], scaled.v[1]));
      }
    }
  }
  for (size_t s = 0; s < program.sum_count; s++) {
    const uint8_t* a = scratch.block(program.sums[s].a);
    const uint8_t* b = scratch.block(program.sums[s].b);
    uint8_t* to = scratch.block(program.column_blocks + s);
    for (size_t at = 0; at < tile.steps * block_bytes; at += step) store_pair(to + at, add(load_pair(a + at), load_pair(b + at)));
  }
}

/** One step of the programme over a tile. A function for each kind, so that none keeps what another needs in a register. */
template <bool is_final, bool adds, bool is_single>
__attribute__((noinline)) void run_step(const KernelCall& call, const ToeplitzStep& now, const uint16_t* blocks, const uint8_t* tables,
                                        const Tile& tile, size_t ahead, const Scratch& scratch) {
  const size_t first_row = is_final ? now.result * block_rows : 0;
  const size_t rows = is_final && call.output_count - first_row < block_rows ? call.output_count - first_row : block_rows;
  const uint8_t* row_scales = call.nibble_toeplitz->row_scales + 32 * first_row;
  uint8_t* const* outputs = call.outputs + first_row;
  const uint8_t* added = call.sources[0];
  StepAt here{scratch, now, blocks, tables, 0};
  const auto finish = [&](const Pair& even, const Pair& odd, size_t row) __attribute__((always_inline)) {
    const Pair y[2] = {even, odd};
    const size_t at = is_final ? tile.at[here.s] : 0;
#pragma GCC unroll 2
    for (size_t j = 0; j < 2; j++) {
      if constexpr (!is_final) {
        store_pair(scratch.slot(now.result) + here.s * slot_bytes + (row + j) * step, y[j]);
      } else if (row + j < rows) {
        Pair result = times(y[j], row_scales + 32 * (row + j));
        if constexpr (adds) result = add(result, load_pair(added + at));
        if (ahead != 0) __builtin_prefetch(outputs[row + j] + at + ahead, 1);
        store_pair(outputs[row + j] + at, result);
      }
    }
  };
  for (; here.s < tile.steps; here.s++) {
    Pair even{}, odd{};
    multiply_shared<is_single>(even, odd, here);
    Pair upper_even = even, upper_odd = odd;
    multiply_own<true, is_single>(upper_even, upper_odd, here);
    finish(upper_even, upper_odd, 0);
    multiply_own<false, is_single>(even, odd, here);
    finish(even, odd, 2);
  }
}

template <bool adds>
void run_tile(const KernelCall& call, const Tile& tile, size_t ahead, const Scratch& scratch) {
  const NibbleToeplitzProgram& program = *call.nibble_toeplitz;
  pack<adds>(call, tile, ahead, scratch);
  const uint16_t* blocks = program.term_blocks;
  const uint8_t* tables = program.tables;
  for (size_t s = 0; s < program.step_count; s++) {
    const ToeplitzStep& now = program.steps[s];
    const auto run_single = now.is_final ? run_step<true, adds, true> : run_step<false, adds, true>;
    const auto run_several = now.is_final ? run_step<true, adds, false> : run_step<false, adds, false>;
    const auto run = now.term_count == 1 ? run_single : run_several;
    run(call, now, blocks, tables, tile, ahead, scratch);
    blocks += now.term_count;
    tables += now.term_count * 32 * nibble_tables_a_term;
  }
}

}  // namespace

void run_toeplitz_avx2(const KernelCall& call, bool is_near) {
  const NibbleToeplitzProgram& program = *call.nibble_toeplitz;
  const size_t block_count = program.column_blocks + program.sum_count;
  alignas(64) uint8_t memory[scratch_bytes];
  const size_t fit = tile_bytes / (block_count * block_bytes + program.slots * slot_bytes);
  const size_t steps = fit < 1 ? 1 : fit > most_steps ? most_steps : fit;
  const Scratch scratch{memory, memory + block_count * steps * block_bytes, steps};
  // Columns that fill up the last block are zero and stay so.
  for (size_t c = program.columns; c < program.column_blocks * block_rows; c++) {
    for (size_t s = 0; s < steps; s++) store_halves(scratch.column(c, s), {});
  }
  const size_t ahead = is_near ? 0 : steps * step;
  const auto run = program.first_column == 1 ? run_tile<true> : run_tile<false>;
  for_tiles(call, steps, [&](const Tile& tile) { run(call, tile, ahead, scratch); });
}

}  // namespace meshward::codec
