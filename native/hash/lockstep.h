#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "hash/sha256.h"

namespace meshward::hash {

constexpr std::size_t digest_bytes = 32;

/**
 * SHA256(SHA256(prefix + message)) of messages of one length, side by side on whatever the processor has for that, and as
 * their bytes become final: a tile that was just computed is hashed while the cache has it.
 */
class Lockstep {
 public:
  /** `prefix` and the messages' memory must stay. */
  Lockstep(std::string_view prefix, std::span<const std::uint8_t* const> messages, std::size_t length);

  /** Takes in what it can of the first `available` bytes of every message, which do not change any more. */
  void advance(std::size_t available);
  /** Takes in the rest and writes 32 bytes for each message. */
  void finish(std::uint8_t* digests);

 private:
  /** `blocks` × 64 bytes into every state, message m from `first + m * stride`, or from where the messages are. */
  void compress_buffer(const std::uint8_t* first, std::size_t stride, std::size_t blocks);
  void compress(std::span<const std::uint8_t* const> data, std::size_t blocks);
  /** `used` messages from `first` on, in the lanes of one pass. */
  void compress_lanes(const LaneCompressor& compressor, std::span<const std::uint8_t* const> data, std::size_t first, std::size_t used,
                      std::size_t blocks);

  std::string_view prefix_;
  std::vector<const std::uint8_t*> messages_;
  std::size_t length_;
  std::vector<State> states_;
  std::vector<const std::uint8_t*> at_;
  bool prefix_done_;
  std::size_t taken_ = 0;
};

}  // namespace meshward::hash
