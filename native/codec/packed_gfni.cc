// Many outputs, whose sources would be read again and again from places that fight for the same cache sets (blocks at equal
// addresses modulo 4096, as an allocator gives them) or from memory: a tile of all sources is copied side by side, in the
// order in which it will be used, and read from there. What comes from memory is fetched ahead, between the products.

#include "codec/columns_gfni.h"

namespace meshward::codec {
namespace {

constexpr size_t step = 2 * width;
constexpr size_t tile_columns = 2048;
// On the stack: small enough for any thread.
constexpr size_t packed_bytes = 64 * 1024;
// Eight streams of stores, and not the ten that the registers would allow: the first-level cache has eight ways.
constexpr size_t outputs_a_pass = 8;
constexpr size_t store_lines_ahead = 4;

void pack(const KernelCall& call, size_t at, size_t steps, uint8_t* packed) {
  for (size_t i = 0; i < call.source_count; i++) {
    const uint8_t* from = call.sources[i] + at;
    uint8_t* to = packed + i * step;
    for (size_t s = 0; s < steps; s++, from += step, to += call.source_count * step) {
      _mm512_store_si512(to, _mm512_loadu_si512(from));
      _mm512_store_si512(to + width, _mm512_loadu_si512(from + width));
    }
  }
}

template <int outputs, bool from_memory>
void packed_group(const KernelCall& call, size_t first, size_t at, size_t steps, const uint8_t* packed, Prefetch& prefetch) {
  const size_t stride = call.output_count;
  const auto* tables = static_cast<const uint64_t*>(call.tables) + first;
  for (size_t s = 0; s < steps; s++, at += step) {
    if (from_memory) prefetch.fetch();
    __m512i sums[outputs][2];
#pragma GCC unroll 16
    for (int j = 0; j < outputs; j++) {
      sums[j][0] = sums[j][1] = _mm512_setzero_si512();
      if (from_memory) {
        __builtin_prefetch(call.outputs[first + j] + at + store_lines_ahead * 64, 1);
        __builtin_prefetch(call.outputs[first + j] + at + (store_lines_ahead + 1) * 64, 1);
      }
    }
    const uint64_t* table = tables;
    for (size_t pair = call.source_count / 2; pair > 0; pair--, table += 2 * stride, packed += 2 * step) {
      const __m512i a0 = _mm512_load_si512(packed);
      const __m512i a1 = _mm512_load_si512(packed + width);
      const __m512i b0 = _mm512_load_si512(packed + step);
      const __m512i b1 = _mm512_load_si512(packed + step + width);
#pragma GCC unroll 16
      for (int j = 0; j < outputs; j++) {
        const __m512i by_a = broadcast(table + j);
        const __m512i by_b = broadcast(table + stride + j);
        sums[j][0] = xor_of(sums[j][0], times(a0, by_a), times(b0, by_b));
        sums[j][1] = xor_of(sums[j][1], times(a1, by_a), times(b1, by_b));
      }
    }
    if (call.source_count & 1) {
      const __m512i a0 = _mm512_load_si512(packed);
      const __m512i a1 = _mm512_load_si512(packed + width);
      packed += step;
#pragma GCC unroll 16
      for (int j = 0; j < outputs; j++) {
        const __m512i by_a = broadcast(table + j);
        sums[j][0] = _mm512_xor_si512(sums[j][0], times(a0, by_a));
        sums[j][1] = _mm512_xor_si512(sums[j][1], times(a1, by_a));
      }
    }
#pragma GCC unroll 16
    for (int j = 0; j < outputs; j++) {
      _mm512_storeu_si512(call.outputs[first + j] + at, sums[j][0]);
      _mm512_storeu_si512(call.outputs[first + j] + at + width, sums[j][1]);
    }
  }
}

using PackedGroup = void (*)(const KernelCall&, size_t, size_t, size_t, const uint8_t*, Prefetch&);

template <bool from_memory>
constexpr PackedGroup packed_groups[outputs_a_pass + 1] = {
    nullptr,
    packed_group<1, from_memory>,
    packed_group<2, from_memory>,
    packed_group<3, from_memory>,
    packed_group<4, from_memory>,
    packed_group<5, from_memory>,
    packed_group<6, from_memory>,
    packed_group<7, from_memory>,
    packed_group<8, from_memory>,
};

}  // namespace

void run_packed_gfni(const KernelCall& call, bool from_memory) {
  alignas(64) uint8_t packed[packed_bytes];
  const PackedGroup* groups = from_memory ? packed_groups<true> : packed_groups<false>;
  const size_t tile = least(tile_columns, packed_bytes / call.source_count / step * step);
  const size_t passes = (call.output_count + outputs_a_pass - 1) / outputs_a_pass;
  for (size_t at = call.begin; at < call.end; at += tile) {
    const size_t steps = least(call.end - at, tile) / step;
    Prefetch prefetch = Prefetch::spread(call, at + steps * step, tile, steps * passes);
    pack(call, at, steps, packed);
    for_groups(call.output_count, outputs_a_pass, [&](size_t first, size_t outputs) {
      groups[outputs](call, first, at, steps, packed, prefetch);
    });
  }
}

}  // namespace meshward::codec
