#pragma once
// The SHA-256 compression function (FIPS 180-4) by instruction set. Included by kernel files: nothing with shared inline code.

#include <stddef.h>
#include <stdint.h>

namespace meshward::hash {

struct State {
  uint32_t words[8];
};

extern const State initial_state;
extern const uint32_t round_constants[64];

/** One message at a time, and as many side by side as the processor keeps busy with. */
struct Compressor {
  /** Takes in `blocks` × 64 bytes. */
  void (*one)(State& state, const uint8_t* data, size_t blocks);
  /** The same for two messages, interleaved. */
  void (*two)(State& first, const uint8_t* first_data, State& second, const uint8_t* second_data, size_t blocks);
};

constexpr size_t most_lanes = 16;

/** A state a lane, word by word. */
struct LaneStates {
  alignas(64) uint32_t words[8][most_lanes];
};

/** `lanes` messages side by side; each takes in `blocks` × 64 bytes. */
struct LaneCompressor {
  size_t lanes;
  void (*compress)(LaneStates& states, const uint8_t* const* data, size_t blocks);
};

extern const Compressor scalar_compressor;
#if defined(__x86_64__)
extern const Compressor shani_compressor;
extern const LaneCompressor avx2_compressor;
extern const LaneCompressor avx512_compressor;
#endif

}  // namespace meshward::hash
