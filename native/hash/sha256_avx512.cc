// SHA-256 of sixteen messages side by side, one in each 32-bit lane. Where a processor has both, this overtakes two
// interleaved messages with the SHA extensions as soon as all sixteen lanes are used.

#include <immintrin.h>

#include "hash/sha256.h"

namespace meshward::hash {
namespace {

#define MESHWARD_INLINE inline __attribute__((always_inline))

MESHWARD_INLINE __m512i add(__m512i a, __m512i b) { return _mm512_add_epi32(a, b); }
MESHWARD_INLINE __m512i xor3(__m512i a, __m512i b, __m512i c) { return _mm512_ternarylogic_epi32(a, b, c, 0x96); }
MESHWARD_INLINE __m512i choose(__m512i e, __m512i f, __m512i g) { return _mm512_ternarylogic_epi32(e, f, g, 0xca); }
MESHWARD_INLINE __m512i majority(__m512i a, __m512i b, __m512i c) { return _mm512_ternarylogic_epi32(a, b, c, 0xe8); }

/** words[t] = word t of all sixteen blocks, big-endian: a transposition of 16 × 16 words. */
MESHWARD_INLINE void load_words(const uint8_t* const* data, size_t at, __m512i* words) {
  const __m512i byte_order = _mm512_broadcast_i32x4(_mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203));
  __m512i rows[16];
#pragma GCC unroll 16
  for (int i = 0; i < 16; i++) rows[i] = _mm512_shuffle_epi8(_mm512_loadu_si512(data[i] + at), byte_order);
  __m512i pairs[16];
#pragma GCC unroll 8
  for (int i = 0; i < 16; i += 2) {
    pairs[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
    pairs[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
  }
  __m512i quads[16];  // quads[4q + c]: column c of each 128-bit part, of rows 4q .. 4q + 3
#pragma GCC unroll 4
  for (int q = 0; q < 16; q += 4) {
    quads[q] = _mm512_unpacklo_epi64(pairs[q], pairs[q + 2]);
    quads[q + 1] = _mm512_unpackhi_epi64(pairs[q], pairs[q + 2]);
    quads[q + 2] = _mm512_unpacklo_epi64(pairs[q + 1], pairs[q + 3]);
    quads[q + 3] = _mm512_unpackhi_epi64(pairs[q + 1], pairs[q + 3]);
  }
#pragma GCC unroll 4
  for (int c = 0; c < 4; c++) {
    const __m512i low01 = _mm512_shuffle_i32x4(quads[c], quads[4 + c], 0x88);
    const __m512i low23 = _mm512_shuffle_i32x4(quads[8 + c], quads[12 + c], 0x88);
    const __m512i high01 = _mm512_shuffle_i32x4(quads[c], quads[4 + c], 0xdd);
    const __m512i high23 = _mm512_shuffle_i32x4(quads[8 + c], quads[12 + c], 0xdd);
    words[c] = _mm512_shuffle_i32x4(low01, low23, 0x88);
    words[4 + c] = _mm512_shuffle_i32x4(high01, high23, 0x88);
    words[8 + c] = _mm512_shuffle_i32x4(low01, low23, 0xdd);
    words[12 + c] = _mm512_shuffle_i32x4(high01, high23, 0xdd);
  }
}

void compress_sixteen(LaneStates& states, const uint8_t* const* data, size_t blocks) {
  __m512i entered[8];
#pragma GCC unroll 8
  for (int i = 0; i < 8; i++) entered[i] = _mm512_load_si512(states.words[i]);
  for (size_t block = 0; block < blocks; block++) {
    __m512i words[16];
    load_words(data, block * 64, words);
    __m512i s[8];  // a .. h; instead of moving them, each round looks one place further
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) s[i] = entered[i];
#pragma GCC unroll 64
    for (int t = 0; t < 64; t++) {
      __m512i& word = words[t & 15];
      if (t >= 16) {
        const __m512i w15 = words[(t + 1) & 15];
        const __m512i w2 = words[(t + 14) & 15];
        const __m512i sigma0 = xor3(_mm512_ror_epi32(w15, 7), _mm512_ror_epi32(w15, 18), _mm512_srli_epi32(w15, 3));
        const __m512i sigma1 = xor3(_mm512_ror_epi32(w2, 17), _mm512_ror_epi32(w2, 19), _mm512_srli_epi32(w2, 10));
        word = add(add(word, sigma0), add(words[(t + 9) & 15], sigma1));
      }
      const auto at = [&](int i) __attribute__((always_inline)) -> __m512i& { return s[(i - t) & 7]; };
      const __m512i e = at(4);
      const __m512i a = at(0);
      const __m512i sum1 = xor3(_mm512_ror_epi32(e, 6), _mm512_ror_epi32(e, 11), _mm512_ror_epi32(e, 25));
      const __m512i sum0 = xor3(_mm512_ror_epi32(a, 2), _mm512_ror_epi32(a, 13), _mm512_ror_epi32(a, 22));
      const __m512i constant = _mm512_set1_epi32(static_cast<int>(round_constants[t]));
      const __m512i temp = add(add(at(7), add(word, constant)), add(sum1, choose(e, at(5), at(6))));
      at(3) = add(at(3), temp);
      at(7) = add(temp, add(sum0, majority(a, at(1), at(2))));
    }
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) entered[i] = add(entered[i], s[i]);
  }
#pragma GCC unroll 8
  for (int i = 0; i < 8; i++) _mm512_store_si512(states.words[i], entered[i]);
}

}  // namespace

const LaneCompressor avx512_compressor{16, compress_sixteen};

}  // namespace meshward::hash
