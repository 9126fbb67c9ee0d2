// At most four sources (3-of-10 and the like): all matrices of a group of outputs stay in registers, and a column costs only
// its loads, products and stores.

#include "codec/columns_gfni.h"

namespace meshward::codec {
namespace {

constexpr size_t source_lines_ahead = 16;
constexpr size_t store_lines_ahead = 4;
// Blocks so short end before the processor's own prefetchers have found their streams.
constexpr size_t short_block_bytes = 16 * 1024;

/** The matrices and addresses of some outputs. */
template <int sources, int outputs>
struct Narrow {
  __m512i matrices[sources][outputs];
  const uint8_t* from[sources];
  uint8_t* to[outputs];

  template <int vectors, bool fetches_outputs>
  MESHWARD_INLINE void columns(size_t at) const {
    __m512i values[sources][vectors];
#pragma GCC unroll 4
    for (int i = 0; i < sources; i++) {
#pragma GCC unroll 2
      for (int v = 0; v < vectors; v++) {
        values[i][v] = _mm512_loadu_si512(from[i] + at + v * width);
        if (vectors > 1) __builtin_prefetch(from[i] + at + (source_lines_ahead + v) * width);
      }
    }
#pragma GCC unroll 8
    for (int j = 0; j < outputs; j++) {
#pragma GCC unroll 2
      for (int v = 0; v < vectors; v++) {
        __m512i sum = times(values[0][v], matrices[0][j]);
        if constexpr (sources == 2) sum = _mm512_xor_si512(sum, times(values[1][v], matrices[1][j]));
        if constexpr (sources >= 3) sum = xor_of(sum, times(values[1][v], matrices[1][j]), times(values[2][v], matrices[2][j]));
        if constexpr (sources == 4) sum = _mm512_xor_si512(sum, times(values[3][v], matrices[3][j]));
        _mm512_storeu_si512(to[j] + at + v * width, sum);
        if constexpr (fetches_outputs) __builtin_prefetch(to[j] + at + (v + store_lines_ahead) * width, 1);
      }
    }
  }

  /** Aliasing blocks two vectors at a time and fetched ahead: fewer visits to each while the others take its place in the cache. */
  template <bool fetches_outputs>
  MESHWARD_INLINE void run(const KernelCall& call, bool alias) const {
    size_t at = call.begin;
    if (alias) {
      for (; at + 2 * width <= call.end; at += 2 * width) columns<2, fetches_outputs>(at);
    }
    for (; at < call.end; at += width) columns<1, fetches_outputs>(at);
  }
};

template <int sources, int outputs>
void narrow_group(const KernelCall& call, size_t first, bool alias) {
  const auto* table = static_cast<const uint64_t*>(call.tables) + first;
  Narrow<sources, outputs> narrow;
#pragma GCC unroll 4
  for (int i = 0; i < sources; i++) {
    narrow.from[i] = call.sources[i];
#pragma GCC unroll 8
    for (int j = 0; j < outputs; j++) narrow.matrices[i][j] = broadcast(table + i * call.output_count + j);
  }
#pragma GCC unroll 8
  for (int j = 0; j < outputs; j++) narrow.to[j] = call.outputs[first + j];
  if (call.length <= short_block_bytes) {
    narrow.template run<true>(call, alias);
  } else {
    narrow.template run<false>(call, alias);
  }
}

// As many outputs as keep matrices, values and a few products within 32 registers.
constexpr size_t most_outputs_by_sources[5] = {0, 8, 8, 7, 6};

template <int sources>
void narrow_outputs(const KernelCall& call, size_t first, size_t outputs, bool alias) {
  switch (outputs) {
    case 1: return narrow_group<sources, 1>(call, first, alias);
    case 2: return narrow_group<sources, 2>(call, first, alias);
    case 3: return narrow_group<sources, 3>(call, first, alias);
    case 4: return narrow_group<sources, 4>(call, first, alias);
    case 5: return narrow_group<sources, 5>(call, first, alias);
    case 6: return narrow_group<sources, 6>(call, first, alias);
    case 7: if constexpr (sources < 4) return narrow_group<sources, 7>(call, first, alias); break;
    default: if constexpr (sources < 3) return narrow_group<sources, 8>(call, first, alias); break;
  }
}

}  // namespace

bool is_one_narrow_group(const KernelCall& call) { return call.output_count <= most_outputs_by_sources[call.source_count]; }

void run_narrow_gfni(const KernelCall& call, bool alias) {
  for_groups(call.output_count, most_outputs_by_sources[call.source_count], [&](size_t first, size_t outputs) {
    switch (call.source_count) {
      case 1: return narrow_outputs<1>(call, first, outputs, alias);
      case 2: return narrow_outputs<2>(call, first, outputs, alias);
      case 3: return narrow_outputs<3>(call, first, outputs, alias);
      default: return narrow_outputs<4>(call, first, outputs, alias);
    }
  });
}

}  // namespace meshward::codec
