// As kernel_ssse3.cc, 32 columns at a time.

#include <immintrin.h>
#include <string.h>

#include "codec/kernel.h"

namespace meshward::codec {
namespace {

constexpr size_t width = 32;

template <int outputs>
void column_group(const KernelCall& call, size_t first, const uint8_t* const* sources, size_t at, uint8_t* const* results,
                  size_t result_at) {
  const __m256i low_nibble = _mm256_set1_epi8(0x0f);
  __m256i sums[outputs];
  for (int j = 0; j < outputs; j++) sums[j] = _mm256_setzero_si256();
  const auto* table = static_cast<const __m128i*>(call.tables) + first * 2;
  for (size_t i = 0; i < call.source_count; i++, table += call.output_count * 2) {
    const __m256i value = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(sources[i] + at));
    const __m256i low = _mm256_and_si256(value, low_nibble);
    const __m256i high = _mm256_and_si256(_mm256_srli_epi64(value, 4), low_nibble);
    for (int j = 0; j < outputs; j++) {
      const __m256i of_low = _mm256_broadcastsi128_si256(_mm_loadu_si128(table + j * 2));
      const __m256i of_high = _mm256_broadcastsi128_si256(_mm_loadu_si128(table + j * 2 + 1));
      const __m256i product = _mm256_xor_si256(_mm256_shuffle_epi8(of_low, low), _mm256_shuffle_epi8(of_high, high));
      sums[j] = _mm256_xor_si256(sums[j], product);
    }
  }
  for (int j = 0; j < outputs; j++) _mm256_storeu_si256(reinterpret_cast<__m256i*>(results[j] + result_at), sums[j]);
}

template <int outputs>
void output_group(const KernelCall& call, size_t first) {
  uint8_t* const* results = call.outputs + first;
  size_t at = call.begin;
  for (; at + width <= call.end; at += width) column_group<outputs>(call, first, call.sources, at, results, at);
  const size_t rest = call.end - at;
  if (rest == 0) return;
  // The last columns go through a buffer, so that nothing beyond a block is read or written.
  uint8_t copies[256][width];
  const uint8_t* copied[256];
  uint8_t staged[outputs][width];
  uint8_t* staged_results[outputs];
  for (size_t i = 0; i < call.source_count; i++) {
    memset(copies[i], 0, width);
    memcpy(copies[i], call.sources[i] + at, rest);
    copied[i] = copies[i];
  }
  for (int j = 0; j < outputs; j++) staged_results[j] = staged[j];
  column_group<outputs>(call, first, copied, 0, staged_results, 0);
  for (int j = 0; j < outputs; j++) memcpy(results[j] + at, staged[j], rest);
}

void run_avx2(const KernelCall& call) {
  size_t first = 0;
  for (; first + 6 <= call.output_count; first += 6) output_group<6>(call, first);
  switch (call.output_count - first) {
    case 5: output_group<5>(call, first); break;
    case 4: output_group<4>(call, first); break;
    case 3: output_group<3>(call, first); break;
    case 2: output_group<2>(call, first); break;
    case 1: output_group<1>(call, first); break;
    default: break;
  }
}

}  // namespace

const Kernel avx2_kernel{32, fill_nibble_table, run_avx2, 4096, 25'000};

}  // namespace meshward::codec
