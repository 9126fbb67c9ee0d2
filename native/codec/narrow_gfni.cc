// At most four sources (3-of-10 and the like): all matrices of a group of outputs stay in registers, and a column costs only
// its loads, products and stores.

#include "codec/columns_gfni.h"

namespace meshward::codec {
namespace {

template <int sources, int outputs>
void narrow_group(const KernelCall& call, size_t first) {
  const auto* table = static_cast<const uint64_t*>(call.tables) + first;
  __m512i matrices[sources][outputs];
  const uint8_t* from[sources];
  uint8_t* to[outputs];
#pragma GCC unroll 4
  for (int i = 0; i < sources; i++) {
    from[i] = call.sources[i];
#pragma GCC unroll 8
    for (int j = 0; j < outputs; j++) matrices[i][j] = broadcast(table + i * call.output_count + j);
  }
#pragma GCC unroll 8
  for (int j = 0; j < outputs; j++) to[j] = call.outputs[first + j];
  for (size_t at = call.begin; at < call.end; at += width) {
    __m512i values[sources];
#pragma GCC unroll 4
    for (int i = 0; i < sources; i++) values[i] = _mm512_loadu_si512(from[i] + at);
#pragma GCC unroll 8
    for (int j = 0; j < outputs; j++) {
      __m512i sum = times(values[0], matrices[0][j]);
      if constexpr (sources == 2) sum = _mm512_xor_si512(sum, times(values[1], matrices[1][j]));
      if constexpr (sources >= 3) sum = xor_of(sum, times(values[1], matrices[1][j]), times(values[2], matrices[2][j]));
      if constexpr (sources == 4) sum = _mm512_xor_si512(sum, times(values[3], matrices[3][j]));
      _mm512_storeu_si512(to[j] + at, sum);
    }
  }
}

// As many outputs as keep matrices, values and a few products within 32 registers.
constexpr size_t most_outputs_by_sources[5] = {0, 8, 8, 7, 6};

template <int sources>
void narrow_outputs(const KernelCall& call, size_t first, size_t outputs) {
  switch (outputs) {
    case 1: return narrow_group<sources, 1>(call, first);
    case 2: return narrow_group<sources, 2>(call, first);
    case 3: return narrow_group<sources, 3>(call, first);
    case 4: return narrow_group<sources, 4>(call, first);
    case 5: return narrow_group<sources, 5>(call, first);
    case 6: return narrow_group<sources, 6>(call, first);
    case 7: if constexpr (sources < 4) return narrow_group<sources, 7>(call, first); break;
    default: if constexpr (sources < 3) return narrow_group<sources, 8>(call, first); break;
  }
}

}  // namespace

void run_narrow_gfni(const KernelCall& call) {
  for_groups(call.output_count, most_outputs_by_sources[call.source_count], [&](size_t first, size_t outputs) {
    switch (call.source_count) {
      case 1: return narrow_outputs<1>(call, first, outputs);
      case 2: return narrow_outputs<2>(call, first, outputs);
      case 3: return narrow_outputs<3>(call, first, outputs);
      default: return narrow_outputs<4>(call, first, outputs);
    }
  });
}

}  // namespace meshward::codec
