// Two to four sources: their halves stay in registers while every output is made from them.

#include <string.h>

#include "codec/columns_avx2.h"

namespace meshward::codec {
namespace {

constexpr size_t most_others = 3;

/** What a call comes down to: the tables of each output, one after another, without those of source 0, which needs none. */
struct Narrow {
  const uint8_t* sources[most_others + 1];
  uint8_t* outputs[256];
  size_t output_count;
  alignas(32) uint8_t tables[256 * most_others * 32];

  explicit Narrow(const KernelCall& call) : output_count(call.output_count) {
    const size_t others = call.source_count - 1;
    for (size_t i = 0; i <= others; i++) sources[i] = call.sources[i];
    const auto* from = static_cast<const uint8_t*>(call.tables);
    for (size_t first = 0, size; first < output_count; first += size, from += 32 * size * call.source_count) {
      size = group_size(output_count - first, most_outputs);
      for (size_t j = 0; j < size; j++) {
        outputs[first + j] = call.outputs[first + j];
        for (size_t i = 0; i < others; i++) memcpy(tables + 32 * ((first + j) * others + i), from + 32 * ((i + 1) * size + j), 32);
      }
    }
  }
};

/** `others`: the sources but for the first, which is added to them and to every output. */
template <int others, int vectors>
MESHWARD_INLINE void all_outputs(const Narrow& narrow, size_t at) {
  __m256i first[vectors], low[others][vectors], high[others][vectors];
#pragma GCC unroll 2
  for (int v = 0; v < vectors; v++) first[v] = kept(load(narrow.sources[0] + at + v * width));
#pragma GCC unroll 3
  for (int i = 0; i < others; i++) {
#pragma GCC unroll 2
    for (int v = 0; v < vectors; v++) {
      const __m256i mask = _mm256_set1_epi8(0x0f);
      const __m256i value = add(load(narrow.sources[i + 1] + at + v * width), first[v]);
      low[i][v] = kept(_mm256_and_si256(value, mask));
      high[i][v] = kept(_mm256_and_si256(_mm256_srli_epi16(value, 4), mask));
    }
  }
  const uint8_t* table = narrow.tables;
  for (size_t j = 0; j < narrow.output_count; j++, table += 32 * others) {
    __m256i sum[vectors];
#pragma GCC unroll 2
    for (int v = 0; v < vectors; v++) sum[v] = first[v];
#pragma GCC unroll 3
    for (int i = 0; i < others; i++) {
      const __m256i by_low = kept(table_at(table + 32 * i));
      const __m256i by_high = kept(table_at(table + 32 * i + 16));
#pragma GCC unroll 2
      for (int v = 0; v < vectors; v++) sum[v] = add(sum[v], add(look_up(by_low, low[i][v]), look_up(by_high, high[i][v])));
    }
    uint8_t* output = narrow.outputs[j] + at;
#pragma GCC unroll 2
    for (int v = 0; v < vectors; v++) store(output + v * width, sum[v]);
  }
}

}  // namespace

void run_narrow_avx2(const KernelCall& call) {
  const Narrow narrow(call);
  switch (call.source_count) {
    case 2: return for_steps(call, [&](size_t at) { all_outputs<1, 2>(narrow, at); });
    case 3: return for_steps(call, [&](size_t at) { all_outputs<2, 2>(narrow, at); });
    default:
      return for_steps(call, [&](size_t at) {
        all_outputs<3, 1>(narrow, at);
        all_outputs<3, 1>(narrow, at + width);
      });
  }
}

}  // namespace meshward::codec
