// SHA-256 of eight messages side by side, one in each 32-bit lane: for processors that have neither the SHA extensions nor AVX-512.

#include <immintrin.h>

#include "hash/sha256.h"

namespace meshward::hash {
namespace {

#define MESHWARD_INLINE inline __attribute__((always_inline))

constexpr int lanes = 8;

MESHWARD_INLINE __m256i add(__m256i a, __m256i b) { return _mm256_add_epi32(a, b); }
MESHWARD_INLINE __m256i both(__m256i a, __m256i b) { return _mm256_and_si256(a, b); }
MESHWARD_INLINE __m256i differ(__m256i a, __m256i b) { return _mm256_xor_si256(a, b); }
/** AVX2 has no rotation: two shifts, whose bits do not overlap. */
template <int count>
MESHWARD_INLINE __m256i rotate_right(__m256i value) {
  return differ(_mm256_srli_epi32(value, count), _mm256_slli_epi32(value, 32 - count));
}
template <int a, int b, int c>
MESHWARD_INLINE __m256i rotations(__m256i value) {
  return differ(differ(rotate_right<a>(value), rotate_right<b>(value)), rotate_right<c>(value));
}
template <int a, int b, int shift>
MESHWARD_INLINE __m256i sigma(__m256i value) {
  return differ(differ(rotate_right<a>(value), rotate_right<b>(value)), _mm256_srli_epi32(value, shift));
}

/** words[0 .. 7] = eight words of all eight blocks from byte `at` on, big-endian: a transposition of 8 × 8 words. */
MESHWARD_INLINE void load_words(const uint8_t* const* data, size_t at, __m256i* words) {
  const __m256i byte_order = _mm256_broadcastsi128_si256(_mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203));
  // Rows r and r + 4 share a vector: a half of 16 bytes from each.
  __m256i halves[lanes];
#pragma GCC unroll 4
  for (int r = 0; r < 4; r++) {
    const auto* low = reinterpret_cast<const __m128i*>(data[r] + at);
    const auto* high = reinterpret_cast<const __m128i*>(data[r + 4] + at);
#pragma GCC unroll 2
    for (int half = 0; half < 2; half++) {
      const __m256i both_rows = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128(low + half)), _mm_loadu_si128(high + half), 1);
      halves[4 * half + r] = _mm256_shuffle_epi8(both_rows, byte_order);
    }
  }
#pragma GCC unroll 2
  for (int half = 0; half < 8; half += 4) {
    const __m256i low01 = _mm256_unpacklo_epi32(halves[half], halves[half + 1]), high01 = _mm256_unpackhi_epi32(halves[half], halves[half + 1]);
    const __m256i low23 = _mm256_unpacklo_epi32(halves[half + 2], halves[half + 3]);
    const __m256i high23 = _mm256_unpackhi_epi32(halves[half + 2], halves[half + 3]);
    words[half] = _mm256_unpacklo_epi64(low01, low23);
    words[half + 1] = _mm256_unpackhi_epi64(low01, low23);
    words[half + 2] = _mm256_unpacklo_epi64(high01, high23);
    words[half + 3] = _mm256_unpackhi_epi64(high01, high23);
  }
}

void compress_eight(LaneStates& states, const uint8_t* const* data, size_t blocks) {
  __m256i entered[8];
#pragma GCC unroll 8
  for (int i = 0; i < 8; i++) entered[i] = _mm256_load_si256(reinterpret_cast<const __m256i*>(states.words[i]));
  for (size_t block = 0; block < blocks; block++) {
    __m256i words[16];
    load_words(data, block * 64, words);
    load_words(data, block * 64 + 32, words + 8);
    __m256i s[8];  // a .. h; instead of moving them, each round looks one place further
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) s[i] = entered[i];
    __m256i b_from_c = differ(s[1], s[2]);
#pragma GCC unroll 64
    for (int t = 0; t < 64; t++) {
      __m256i& word = words[t & 15];
      if (t >= 16) {
        const __m256i from_15 = sigma<7, 18, 3>(words[(t + 1) & 15]);
        const __m256i from_2 = sigma<17, 19, 10>(words[(t + 14) & 15]);
        word = add(add(word, from_15), add(words[(t + 9) & 15], from_2));
      }
      const auto at = [&](int i) __attribute__((always_inline)) -> __m256i& { return s[(i - t) & 7]; };
      const __m256i e = at(4), a = at(0);
      const __m256i chosen = differ(at(6), both(e, differ(at(5), at(6))));
      // The majority of a, b and c is b where a and b agree or b and c do not; the next round's b and c are this one's a and b.
      const __m256i a_from_b = differ(a, at(1));
      const __m256i majority = differ(at(1), both(a_from_b, b_from_c));
      b_from_c = a_from_b;
      const __m256i constant = _mm256_set1_epi32(static_cast<int>(round_constants[t]));
      const __m256i temp = add(add(at(7), add(word, constant)), add(rotations<6, 11, 25>(e), chosen));
      at(3) = add(at(3), temp);
      at(7) = add(temp, add(rotations<2, 13, 22>(a), majority));
    }
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) entered[i] = add(entered[i], s[i]);
  }
#pragma GCC unroll 8
  for (int i = 0; i < 8; i++) _mm256_store_si256(reinterpret_cast<__m256i*>(states.words[i]), entered[i]);
}

}  // namespace

const LaneCompressor avx2_compressor{lanes, compress_eight};

}  // namespace meshward::hash
