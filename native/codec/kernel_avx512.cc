// As kernel_ssse3.cc, 64 columns at a time; the last columns with masked loads and stores.

#include <immintrin.h>

#include "codec/kernel.h"

namespace meshward::codec {
namespace {

constexpr size_t width = 64;

template <int outputs>
void column_group(const KernelCall& call, size_t first, size_t at, __mmask64 columns) {
  const __m512i low_nibble = _mm512_set1_epi8(0x0f);
  __m512i sums[outputs];
  for (int j = 0; j < outputs; j++) sums[j] = _mm512_setzero_si512();
  const auto* table = static_cast<const __m128i*>(call.tables) + first * 2;
  for (size_t i = 0; i < call.source_count; i++, table += call.output_count * 2) {
    const __m512i value = _mm512_maskz_loadu_epi8(columns, call.sources[i] + at);
    const __m512i low = _mm512_and_si512(value, low_nibble);
    const __m512i high = _mm512_and_si512(_mm512_srli_epi64(value, 4), low_nibble);
    for (int j = 0; j < outputs; j++) {
      const __m512i of_low = _mm512_broadcast_i32x4(_mm_loadu_si128(table + j * 2));
      const __m512i of_high = _mm512_broadcast_i32x4(_mm_loadu_si128(table + j * 2 + 1));
      sums[j] = _mm512_ternarylogic_epi64(sums[j], _mm512_shuffle_epi8(of_low, low), _mm512_shuffle_epi8(of_high, high), 0x96);
    }
  }
  for (int j = 0; j < outputs; j++) _mm512_mask_storeu_epi8(call.outputs[first + j] + at, columns, sums[j]);
}

template <int outputs>
void output_group(const KernelCall& call, size_t first) {
  size_t at = call.begin;
  for (; at + width <= call.end; at += width) column_group<outputs>(call, first, at, ~__mmask64{0});
  const size_t rest = call.end - at;
  if (rest > 0) column_group<outputs>(call, first, at, (__mmask64{1} << rest) - 1);
}

void run_avx512(const KernelCall& call) {
  size_t first = 0;
  for (; first + 8 <= call.output_count; first += 8) output_group<8>(call, first);
  switch (call.output_count - first) {
    case 7: output_group<7>(call, first); break;
    case 6: output_group<6>(call, first); break;
    case 5: output_group<5>(call, first); break;
    case 4: output_group<4>(call, first); break;
    case 3: output_group<3>(call, first); break;
    case 2: output_group<2>(call, first); break;
    case 1: output_group<1>(call, first); break;
    default: break;
  }
}

}  // namespace

const Kernel avx512_kernel{32, fill_nibble_table, run_avx512, 4096, 50'000};

}  // namespace meshward::codec
