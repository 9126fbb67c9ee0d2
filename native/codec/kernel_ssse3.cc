// Products by two lookups of 16 entries (pshufb), 16 columns at a time (Plank, Greenan, Miller: "Screaming fast Galois
// field arithmetic using Intel SIMD instructions", FAST 2013).

#include <string.h>
#include <tmmintrin.h>

#include "codec/kernel.h"

namespace meshward::codec {
namespace {

constexpr size_t width = 16;

template <int outputs>
void column_group(const KernelCall& call, size_t first, const uint8_t* const* sources, size_t at, uint8_t* const* results,
                  size_t result_at) {
  const __m128i low_nibble = _mm_set1_epi8(0x0f);
  __m128i sums[outputs];
  for (int j = 0; j < outputs; j++) sums[j] = _mm_setzero_si128();
  const auto* table = static_cast<const __m128i*>(call.tables) + first * 2;
  for (size_t i = 0; i < call.source_count; i++, table += call.output_count * 2) {
    const __m128i value = _mm_loadu_si128(reinterpret_cast<const __m128i*>(sources[i] + at));
    const __m128i low = _mm_and_si128(value, low_nibble);
    const __m128i high = _mm_and_si128(_mm_srli_epi64(value, 4), low_nibble);
    for (int j = 0; j < outputs; j++) {
      const __m128i product = _mm_xor_si128(_mm_shuffle_epi8(_mm_loadu_si128(table + j * 2), low),
                                            _mm_shuffle_epi8(_mm_loadu_si128(table + j * 2 + 1), high));
      sums[j] = _mm_xor_si128(sums[j], product);
    }
  }
  for (int j = 0; j < outputs; j++) _mm_storeu_si128(reinterpret_cast<__m128i*>(results[j] + result_at), sums[j]);
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

void run_ssse3(const KernelCall& call) {
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

const Kernel ssse3_kernel{32, fill_nibble_table, run_ssse3, 4096, 10'000};

}  // namespace meshward::codec
