// SHA-256 with the SHA extensions. One round pair has a latency of several cycles and a processor can start the next
// message's meanwhile: two messages side by side take little longer than one.

#include <immintrin.h>

#include "hash/sha256.h"

namespace meshward::hash {
namespace {

/** The state in the order that sha256rnds2 works on. */
struct Halves {
  __m128i abef;
  __m128i cdgh;
};

Halves load_state(const State& state) {
  const __m128i dcba = _mm_shuffle_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(state.words)), 0xb1);
  const __m128i efgh = _mm_shuffle_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(state.words + 4)), 0x1b);
  return {_mm_alignr_epi8(dcba, efgh, 8), _mm_blend_epi16(efgh, dcba, 0xf0)};
}

void store_state(State& state, const Halves& halves) {
  const __m128i feba = _mm_shuffle_epi32(halves.abef, 0x1b);
  const __m128i dchg = _mm_shuffle_epi32(halves.cdgh, 0xb1);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(state.words), _mm_blend_epi16(feba, dchg, 0xf0));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(state.words + 4), _mm_alignr_epi8(dchg, feba, 8));
}

template <int messages>
inline __attribute__((always_inline)) void compress(Halves* states, const uint8_t** data, size_t blocks) {
  const __m128i byte_order = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
  for (; blocks > 0; blocks--) {
    Halves entered[messages];
    __m128i schedule[messages][4];  // words 4q .. 4q + 3 of the last four groups
    for (int m = 0; m < messages; m++) entered[m] = states[m];
#pragma GCC unroll 16
    for (int group = 0; group < 16; group++) {
      const __m128i constants = _mm_load_si128(reinterpret_cast<const __m128i*>(round_constants + 4 * group));
#pragma GCC unroll 4
      for (int m = 0; m < messages; m++) {
        __m128i& words = schedule[m][group & 3];
        if (group < 4) {
          words = _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(data[m] + 16 * group)), byte_order);
        } else {
          const __m128i& before1 = schedule[m][(group + 3) & 3];
          const __m128i& before2 = schedule[m][(group + 2) & 3];
          const __m128i& before3 = schedule[m][(group + 1) & 3];
          words = _mm_add_epi32(_mm_sha256msg1_epu32(words, before3), _mm_alignr_epi8(before1, before2, 4));
          words = _mm_sha256msg2_epu32(words, before1);
        }
        const __m128i inputs = _mm_add_epi32(words, constants);
        states[m].cdgh = _mm_sha256rnds2_epu32(states[m].cdgh, states[m].abef, inputs);
        states[m].abef = _mm_sha256rnds2_epu32(states[m].abef, states[m].cdgh, _mm_shuffle_epi32(inputs, 0x0e));
      }
    }
    for (int m = 0; m < messages; m++) {
      states[m].abef = _mm_add_epi32(states[m].abef, entered[m].abef);
      states[m].cdgh = _mm_add_epi32(states[m].cdgh, entered[m].cdgh);
      data[m] += 64;
    }
  }
}

void compress_one(State& state, const uint8_t* data, size_t blocks) {
  Halves halves = load_state(state);
  compress<1>(&halves, &data, blocks);
  store_state(state, halves);
}

void compress_two(State& first, const uint8_t* first_data, State& second, const uint8_t* second_data, size_t blocks) {
  Halves halves[2] = {load_state(first), load_state(second)};
  const uint8_t* data[2] = {first_data, second_data};
  compress<2>(halves, data, blocks);
  store_state(first, halves[0]);
  store_state(second, halves[1]);
}

}  // namespace

const Compressor shani_compressor{compress_one, compress_two};

}  // namespace meshward::hash
