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
// So many sources at most are copied between the products of the first pass, which costs nothing there; more would drive each
// other out of the cache when gone through a step at a time.
constexpr size_t most_sources_beside = 32;

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

enum class Packing { done, on_the_way, done_from_memory };

template <int outputs, Packing packing>
void packed_group(const KernelCall& call, size_t first, size_t at, size_t steps, uint8_t* packed, Prefetch& prefetch) {
  constexpr bool from_memory = packing == Packing::done_from_memory;
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
    const uint8_t* const* source = call.sources;
    const auto take = [&](size_t vector) __attribute__((always_inline)) {
      if constexpr (packing != Packing::on_the_way) return _mm512_load_si512(packed + vector * width);
      __m512i value = _mm512_loadu_si512(source[vector / 2] + at + vector % 2 * width);
      asm("" : "+v"(value));  // GCC would rather load it again for each of its uses
      _mm512_store_si512(packed + vector * width, value);
      return value;
    };
    for (size_t pair = call.source_count / 2; pair > 0; pair--, table += 2 * stride, packed += 2 * step, source += 2) {
      const __m512i a0 = take(0), a1 = take(1), b0 = take(2), b1 = take(3);
#pragma GCC unroll 16
      for (int j = 0; j < outputs; j++) {
        const __m512i by_a = broadcast(table + j);
        const __m512i by_b = broadcast(table + stride + j);
        sums[j][0] = xor_of(sums[j][0], times(a0, by_a), times(b0, by_b));
        sums[j][1] = xor_of(sums[j][1], times(a1, by_a), times(b1, by_b));
      }
    }
    if (call.source_count & 1) {
      const __m512i a0 = take(0), a1 = take(1);
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

using PackedGroup = void (*)(const KernelCall&, size_t, size_t, size_t, uint8_t*, Prefetch&);

template <Packing packing>
constexpr PackedGroup packed_groups[outputs_a_pass + 1] = {
    nullptr,
    packed_group<1, packing>,
    packed_group<2, packing>,
    packed_group<3, packing>,
    packed_group<4, packing>,
    packed_group<5, packing>,
    packed_group<6, packing>,
    packed_group<7, packing>,
    packed_group<8, packing>,
};

}  // namespace

void run_packed_gfni(const KernelCall& call, bool from_memory) {
  alignas(64) uint8_t packed[packed_bytes];
  const PackedGroup* groups = from_memory ? packed_groups<Packing::done_from_memory> : packed_groups<Packing::done>;
  const bool packs_first = from_memory || call.source_count > most_sources_beside;
  const PackedGroup* first_group = packs_first ? groups : packed_groups<Packing::on_the_way>;
  const size_t tile = least(tile_columns, packed_bytes / call.source_count / step * step);
  const size_t passes = (call.output_count + outputs_a_pass - 1) / outputs_a_pass;
  for (size_t at = call.begin; at < call.end; at += tile) {
    const size_t steps = least(call.end - at, tile) / step;
    Prefetch prefetch = Prefetch::spread(call, at + steps * step, tile, steps * passes);
    if (packs_first) pack(call, at, steps, packed);
    for_groups(call.output_count, outputs_a_pass, [&](size_t first, size_t outputs) {
      (first == 0 ? first_group : groups)[outputs](call, first, at, steps, packed, prefetch);
    });
  }
}

}  // namespace meshward::codec
