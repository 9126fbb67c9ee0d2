#include <string.h>

#include "hash/sha256.h"

namespace meshward::hash {

const State initial_state{{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};

alignas(64) const uint32_t round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
    0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
    0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
    0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
    0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
    0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

namespace {

uint32_t rotate_right(uint32_t value, int count) { return (value >> count) | (value << (32 - count)); }

uint32_t big_endian_word(const uint8_t* from) {
  return static_cast<uint32_t>(from[0]) << 24 | static_cast<uint32_t>(from[1]) << 16 | static_cast<uint32_t>(from[2]) << 8 | from[3];
}

void compress_one(State& state, const uint8_t* data, size_t blocks) {
  for (; blocks > 0; blocks--, data += 64) {
    uint32_t schedule[16];  // word t in place t % 16
    uint32_t s[8];          // a .. h; instead of moving them, each round looks one place further
    for (int i = 0; i < 8; i++) s[i] = state.words[i];
    const auto round = [&](int t, uint32_t constant, uint32_t word) __attribute__((always_inline)) {
      const auto at = [&](int i) __attribute__((always_inline)) -> uint32_t& { return s[(i - t) & 7]; };
      const uint32_t a = at(0), e = at(4);
      const uint32_t sum1 = rotate_right(e, 6) ^ rotate_right(e, 11) ^ rotate_right(e, 25);
      const uint32_t temp = at(7) + constant + word + sum1 + (at(6) ^ (e & (at(5) ^ at(6))));
      const uint32_t sum0 = rotate_right(a, 2) ^ rotate_right(a, 13) ^ rotate_right(a, 22);
      at(3) += temp;
      at(7) = temp + sum0 + ((a & at(1)) | (at(2) & (a | at(1))));
    };
    // Unrolled, so that which variable is meant where is settled when this is compiled.
#pragma GCC unroll 16
    for (int t = 0; t < 16; t++) {
      schedule[t] = big_endian_word(data + 4 * t);
      round(t, round_constants[t], schedule[t]);
    }
    for (int first = 16; first < 64; first += 16) {
#pragma GCC unroll 16
      for (int t = 0; t < 16; t++) {
        const uint32_t w15 = schedule[(t + 1) & 15];
        const uint32_t w2 = schedule[(t + 14) & 15];
        const uint32_t sigma0 = rotate_right(w15, 7) ^ rotate_right(w15, 18) ^ (w15 >> 3);
        const uint32_t sigma1 = rotate_right(w2, 17) ^ rotate_right(w2, 19) ^ (w2 >> 10);
        schedule[t] += sigma0 + schedule[(t + 9) & 15] + sigma1;
        round(t, round_constants[first + t], schedule[t]);
      }
    }
    for (int i = 0; i < 8; i++) state.words[i] += s[i];
  }
}

void compress_two(State& first, const uint8_t* first_data, State& second, const uint8_t* second_data, size_t blocks) {
  compress_one(first, first_data, blocks);
  compress_one(second, second_data, blocks);
}

}  // namespace

const Compressor scalar_compressor{compress_one, compress_two};

}  // namespace meshward::hash
