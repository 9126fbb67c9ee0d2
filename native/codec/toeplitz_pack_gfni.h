#pragma once
// What the Toeplitz kernel works on: 128 columns of shares at a time, copied together, scaled, into scratch memory. Everything
// here has internal linkage.

#include "codec/columns_gfni.h"

namespace meshward::codec {
namespace {

constexpr size_t step = 2 * width;
constexpr size_t block_bytes = toeplitz_block_rows * step;  // of a block, a sum or a slot, for 128 columns of the shares

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

/** Scratch memory: for each block (columns, then sums), then for each slot, its rows at each step of the tile. */
template <size_t tile_steps, typename Byte>
MESHWARD_INLINE Byte* part_of(Byte* scratch, size_t block) {
  return scratch + block * tile_steps * block_bytes;
}

/**
 * The columns, scaled, into the scratch memory, where storing is what takes the time; beside it the products of the first `rows`
 * rows outside the programme, where multiplying does. With such rows `steps` is `tile_steps`.
 */
template <size_t tile_steps, bool adds_first, size_t rows>
void pack_columns(const KernelCall& call, size_t at, size_t steps, uint8_t* scratch) {
  const ToeplitzProgram program = *call.toeplitz;
  const uint8_t* const* sources = call.sources + program.first_column;
  const size_t stride = call.output_count;
  const uint64_t* weights = static_cast<const uint64_t*>(call.tables) + program.first_column * stride + program.rows;
  if (tile_steps == 1 || rows > 0) steps = tile_steps;
  alignas(64) uint8_t first[tile_steps * step];
  if constexpr (adds_first) {
    for (size_t s = 0; s < steps; s++) store(first + s * step, load_anywhere(call.sources[0] + at + s * step));
  }
  Pair sums[rows + 1][tile_steps];
  for (auto& of_row : sums) {
    for (Pair& value : of_row) value = {};
  }
  const auto load_source = [&](size_t i, size_t s) __attribute__((always_inline)) {
    Pair value = load_anywhere(sources[i] + at + s * step);
    if constexpr (adds_first) value = add(value, load(first + s * step));
    return rows > 0 ? kept(value) : value;
  };
  const auto pack = [&](size_t i, size_t s, const Pair& value) __attribute__((always_inline)) {
    uint8_t* to = part_of<tile_steps>(scratch, i / toeplitz_block_rows) + i % toeplitz_block_rows * step;
    store(to + s * block_bytes, times(value, broadcast(program.column_scales + i)));
  };
  size_t i = 0;
  if constexpr (rows > 0) {
    for (; i + 2 <= program.columns; i += 2, weights += 2 * stride) {
      Pair a[tile_steps], b[tile_steps];
#pragma GCC unroll 2
      for (size_t s = 0; s < tile_steps; s++) {
        a[s] = load_source(i, s);
        b[s] = load_source(i + 1, s);
        pack(i, s, a[s]);
        pack(i + 1, s, b[s]);
      }
#pragma GCC unroll 4
      for (size_t j = 0; j < rows; j++) {
        const __m512i by_a = broadcast(weights + j), by_b = broadcast(weights + stride + j);
#pragma GCC unroll 2
        for (size_t s = 0; s < tile_steps; s++) sums[j][s] = add(sums[j][s], times(a[s], by_a), times(b[s], by_b));
      }
    }
  }
  const size_t sources_left = rows > 0 ? program.columns + program.direct_columns : program.columns;
  for (; i < sources_left; i++, weights += stride) {
#pragma GCC unroll 2
    for (size_t s = 0; s < steps; s++) {
      const Pair value = load_source(i, s);
      if (rows == 0 || i < program.columns) pack(i, s, value);
#pragma GCC unroll 4
      for (size_t j = 0; j < rows; j++) sums[j][s] = add(sums[j][s], times(value, broadcast(weights + j)));
    }
  }
#pragma GCC unroll 4
  for (size_t j = 0; j < rows; j++) {
    uint8_t* to = call.outputs[program.rows + j] + at;
#pragma GCC unroll 2
    for (size_t s = 0; s < tile_steps; s++) {
      const Pair value = adds_first ? add(sums[j][s], load(first + s * step)) : sums[j][s];
      store_line<false>(to + s * step, value.v[0]);
      store_line<false>(to + s * step + width, value.v[1]);
    }
  }
}

template <size_t tile_steps, size_t rows>
MESHWARD_INLINE void pack_beside(const KernelCall& call, size_t at, size_t steps, uint8_t* scratch) {
  if (call.toeplitz->adds_first_source) {
    pack_columns<tile_steps, true, rows>(call, at, steps, scratch);
  } else {
    pack_columns<tile_steps, false, rows>(call, at, steps, scratch);
  }
}

/** Packs the columns and their sums. Returns whether the rows outside the programme are made with that. */
template <size_t tile_steps>
bool pack(const KernelCall& call, size_t at, size_t steps, uint8_t* scratch) {
  const ToeplitzProgram& program = *call.toeplitz;
  constexpr bool has_registers = tile_steps <= 2;  // for a sum of each such row at each step
  const bool is_beside = has_registers && steps == tile_steps;
  if constexpr (has_registers) {
    switch (is_beside ? call.output_count - program.rows : 0) {
      case 0: pack_beside<tile_steps, 0>(call, at, steps, scratch); break;
      case 1: pack_beside<tile_steps, 1>(call, at, steps, scratch); break;
      case 2: pack_beside<tile_steps, 2>(call, at, steps, scratch); break;
      case 3: pack_beside<tile_steps, 3>(call, at, steps, scratch); break;
      default: pack_beside<tile_steps, 4>(call, at, steps, scratch); break;
    }
  } else {
    pack_beside<tile_steps, 0>(call, at, steps, scratch);
  }
  for (size_t s = 0; s < program.sum_count; s++) {
    const uint8_t* a = part_of<tile_steps>(scratch, program.sums[s].a);
    const uint8_t* b = part_of<tile_steps>(scratch, program.sums[s].b);
    uint8_t* to = part_of<tile_steps>(scratch, program.column_blocks + s);
    for (size_t j = 0; j < steps * block_bytes; j += step) store(to + j, add(load(a + j), load(b + j)));
  }
  return is_beside;
}

}  // namespace
}  // namespace meshward::codec
