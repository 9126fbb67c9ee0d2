// Registers of 16, 32 and 64 bytes with one set of names, as far as the including file's level has them.

#include <immintrin.h>

namespace meshward::share_map {
namespace {

struct Xmm {
  using Type = __m128i;
  static constexpr std::uint32_t bytes = 16;
  static Type zero() { return _mm_setzero_si128(); }
  static Type load(const std::uint8_t* at) { return _mm_load_si128(reinterpret_cast<const __m128i*>(at)); }
  static Type broadcast(const std::uint8_t* at) { return load(at); }
  static Type fill(std::uint8_t value) { return _mm_set1_epi8(static_cast<char>(value)); }
  static Type add(Type a, Type b) { return _mm_adds_epu8(a, b); }
  static Type subtract(Type a, Type b) { return _mm_subs_epu8(a, b); }
  static Type larger(Type a, Type b) { return _mm_max_epu8(a, b); }
  static Type smaller(Type a, Type b) { return _mm_min_epu8(a, b); }
  static Type shuffle(Type a, Type from) { return _mm_shuffle_epi8(a, from); }
  static Type choose(Type mask, Type a, Type b) { return _mm_or_si128(_mm_and_si128(mask, a), _mm_andnot_si128(mask, b)); }
  template <int count>
  static Type shift(Type a) { return _mm_slli_si128(a, count); }
  static std::uint64_t not_zero(Type a) {
    return ~static_cast<std::uint32_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(a, zero()))) & 0xffff;
  }
};

#if defined(__AVX2__)
struct Ymm {
  using Type = __m256i;
  static constexpr std::uint32_t bytes = 32;
  static Type zero() { return _mm256_setzero_si256(); }
  static Type load(const std::uint8_t* at) { return _mm256_load_si256(reinterpret_cast<const __m256i*>(at)); }
  static Type broadcast(const std::uint8_t* at) { return _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(at))); }
  static Type fill(std::uint8_t value) { return _mm256_set1_epi8(static_cast<char>(value)); }
  static Type add(Type a, Type b) { return _mm256_adds_epu8(a, b); }
  static Type subtract(Type a, Type b) { return _mm256_subs_epu8(a, b); }
  static Type larger(Type a, Type b) { return _mm256_max_epu8(a, b); }
  static Type smaller(Type a, Type b) { return _mm256_min_epu8(a, b); }
  static Type shuffle(Type a, Type from) { return _mm256_shuffle_epi8(a, from); }
  static Type choose(Type mask, Type a, Type b) { return _mm256_blendv_epi8(b, a, mask); }
  template <int count>
  static Type shift(Type a) { return _mm256_slli_si256(a, count); }
  static std::uint64_t not_zero(Type a) { return static_cast<std::uint32_t>(~_mm256_movemask_epi8(_mm256_cmpeq_epi8(a, zero()))); }
};
#endif

#if defined(__AVX512BW__)
struct Zmm {
  using Type = __m512i;
  static constexpr std::uint32_t bytes = 64;
  static Type zero() { return _mm512_setzero_si512(); }
  static Type load(const std::uint8_t* at) { return _mm512_load_si512(at); }
  static Type broadcast(const std::uint8_t* at) { return _mm512_broadcast_i32x4(_mm_load_si128(reinterpret_cast<const __m128i*>(at))); }
  static Type fill(std::uint8_t value) { return _mm512_set1_epi8(static_cast<char>(value)); }
  static Type add(Type a, Type b) { return _mm512_adds_epu8(a, b); }
  static Type subtract(Type a, Type b) { return _mm512_subs_epu8(a, b); }
  static Type larger(Type a, Type b) { return _mm512_max_epu8(a, b); }
  static Type smaller(Type a, Type b) { return _mm512_min_epu8(a, b); }
  static Type shuffle(Type a, Type from) { return _mm512_shuffle_epi8(a, from); }
  static Type choose(Type mask, Type a, Type b) { return _mm512_ternarylogic_epi32(mask, a, b, 0xca); }
  template <int count>
  static Type shift(Type a) { return _mm512_bslli_epi128(a, count); }
  static std::uint64_t not_zero(Type a) { return _mm512_test_epi8_mask(a, a); }
};
#endif

}  // namespace
}  // namespace meshward::share_map
