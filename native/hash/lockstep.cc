#include "hash/lockstep.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>

#include "isa/isa.h"

namespace meshward::hash {
namespace {

constexpr std::size_t block_bytes = 64;

const Compressor& compressor() {
#if defined(__x86_64__)
  if (isa::has_sha() && isa::current() != isa::Level::scalar) return shani_compressor;
#endif
  return scalar_compressor;
}

#if defined(__x86_64__)
/** Seconds that `work` takes when nothing comes between. */
template <typename Work>
double least_seconds(Work work) {
  double least = 1;
  for (int round = 0; round < 8; round++) {
    const auto began = std::chrono::steady_clock::now();
    work();
    least = std::min(least, std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count());
  }
  return least;
}

/**
 * From how many messages on lanes take less time than one or two messages at a time: measured, since sixteen never do on Zen 4
 * and do from eleven on on Zen 5, and two are enough where the SHA extensions are missing. Takes some hundred microseconds.
 */
std::size_t measured_lanes_worth(const LaneCompressor& wide) {
  constexpr std::size_t blocks = 16;
  static const std::uint8_t message[blocks * block_bytes] = {};
  const std::uint8_t* lane_data[most_lanes];
  std::fill_n(lane_data, wide.lanes, message);
  State pair[2] = {initial_state, initial_state};
  LaneStates states{};
  const Compressor& few = compressor();
  const double two = least_seconds([&] { few.two(pair[0], message, pair[1], message, blocks); });
  const double all = least_seconds([&] { wide.compress(states, lane_data, blocks); });
  // In this order also where a coarse clock saw neither take any time.
  const double pairs = std::min(1.0 * wide.lanes, all / two);
  return std::max<std::size_t>(2, static_cast<std::size_t>(pairs * 2) + 1);
}
#endif

/** What compresses many messages at once, and from how many on it does so; null where nothing does. */
struct Lanes {
  const LaneCompressor* compressor;
  std::size_t worth;
};

Lanes lanes_now() {
#if defined(__x86_64__)
  const isa::Level level = isa::current();
  if (level == isa::Level::avx512) return {&avx512_compressor, 1};
  // Measured with the SHA extensions and without: they may be switched off.
  if (level == isa::Level::gfni || level == isa::Level::avx2) {
    const bool is_avx2 = level == isa::Level::avx2;
    const LaneCompressor& wide = is_avx2 ? avx2_compressor : avx512_compressor;
    static std::atomic<std::size_t> measured[2][2];
    std::atomic<std::size_t>& worth = measured[is_avx2][isa::has_sha()];
    // Two threads may measure at once: either result will do.
    if (worth == 0) worth = measured_lanes_worth(wide);
    return {&wide, worth};
  }
#endif
  return {nullptr, 0};
}

void write_digest(const State& state, std::uint8_t* to) {
  for (int i = 0; i < 8; i++) {
    for (int b = 0; b < 4; b++) to[4 * i + b] = static_cast<std::uint8_t>(state.words[i] >> (24 - 8 * b));
  }
}

/** Writes FIPS 180-4 padding after `used` bytes; returns how many blocks it is now. The buffer has room for two more blocks. */
std::size_t pad(std::uint8_t* buffer, std::size_t used, std::uint64_t message_bytes) {
  const std::size_t blocks = (used + 9 + block_bytes - 1) / block_bytes;
  std::memset(buffer + used, 0, blocks * block_bytes - used);
  buffer[used] = 0x80;
  const std::uint64_t bits = message_bytes * 8;
  for (int i = 0; i < 8; i++) buffer[blocks * block_bytes - 1 - i] = static_cast<std::uint8_t>(bits >> (8 * i));
  return blocks;
}

}  // namespace

Lockstep::Lockstep(std::string_view prefix, std::span<const std::uint8_t* const> messages, std::size_t length)
    : prefix_(prefix),
      messages_(messages.begin(), messages.end()),
      length_(length),
      states_(messages.size(), initial_state),
      at_(messages.size()),
      prefix_done_(prefix.empty()) {}

void Lockstep::advance(std::size_t available) {
  if (!prefix_done_) {
    // The prefix's last block is filled up with the beginning of the message.
    const std::size_t fill = (block_bytes - prefix_.size() % block_bytes) % block_bytes;
    if (available < fill) return;
    const std::size_t head_bytes = prefix_.size() + fill;
    std::vector<std::uint8_t> heads(messages_.size() * head_bytes);
    for (std::size_t m = 0; m < messages_.size(); m++) {
      std::memcpy(&heads[m * head_bytes], prefix_.data(), prefix_.size());
      if (fill > 0) std::memcpy(&heads[m * head_bytes + prefix_.size()], messages_[m], fill);
    }
    compress_buffer(heads.data(), head_bytes, head_bytes / block_bytes);
    prefix_done_ = true;
    taken_ = fill;
  }
  const std::size_t blocks = (available - taken_) / block_bytes;
  if (blocks == 0) return;
  for (std::size_t m = 0; m < messages_.size(); m++) at_[m] = messages_[m] + taken_;
  compress(at_, blocks);
  taken_ += blocks * block_bytes;
}

void Lockstep::finish(std::uint8_t* digests) {
  advance(length_);
  const std::string_view prefix = prefix_done_ ? std::string_view{} : prefix_;
  const std::size_t rest = length_ - taken_;
  const std::size_t stride = prefix.size() + rest + 2 * block_bytes;
  std::vector<std::uint8_t> tails(messages_.size() * stride);
  std::size_t blocks = 0;
  for (std::size_t m = 0; m < messages_.size(); m++) {
    std::uint8_t* tail = &tails[m * stride];
    if (!prefix.empty()) std::memcpy(tail, prefix.data(), prefix.size());
    if (rest > 0) std::memcpy(tail + prefix.size(), messages_[m] + taken_, rest);
    blocks = pad(tail, prefix.size() + rest, prefix_.size() + length_);
  }
  compress_buffer(tails.data(), stride, blocks);

  std::vector<std::uint8_t> seconds(messages_.size() * block_bytes);
  for (std::size_t m = 0; m < messages_.size(); m++) {
    write_digest(states_[m], &seconds[m * block_bytes]);
    pad(&seconds[m * block_bytes], digest_bytes, digest_bytes);
    states_[m] = initial_state;
  }
  compress_buffer(seconds.data(), block_bytes, 1);
  for (std::size_t m = 0; m < messages_.size(); m++) write_digest(states_[m], digests + m * digest_bytes);
}

void Lockstep::compress_buffer(const std::uint8_t* first, std::size_t stride, std::size_t blocks) {
  for (std::size_t m = 0; m < messages_.size(); m++) at_[m] = first + m * stride;
  compress(at_, blocks);
}

void Lockstep::compress(std::span<const std::uint8_t* const> data, std::size_t blocks) {
  const Lanes wide = lanes_now();
  std::size_t m = 0;
  while (wide.compressor != nullptr && m < data.size()) {
    const std::size_t used = std::min(wide.compressor->lanes, data.size() - m);
    if (used < wide.worth) break;
    compress_lanes(*wide.compressor, data, m, used, blocks);
    m += used;
  }
  const Compressor& compressor = hash::compressor();
  for (; m + 2 <= data.size(); m += 2) compressor.two(states_[m], data[m], states_[m + 1], data[m + 1], blocks);
  if (m < data.size()) compressor.one(states_[m], data[m], blocks);
}

void Lockstep::compress_lanes(const LaneCompressor& compressor, std::span<const std::uint8_t* const> data, std::size_t first,
                              std::size_t used, std::size_t blocks) {
  LaneStates states;
  const std::uint8_t* lane_data[most_lanes];
  for (std::size_t lane = 0; lane < compressor.lanes; lane++) {
    const std::size_t m = first + std::min(lane, used - 1);  // lanes without a message repeat the last
    lane_data[lane] = data[m];
    for (int i = 0; i < 8; i++) states.words[i][lane] = states_[m].words[i];
  }
  compressor.compress(states, lane_data, blocks);
  for (std::size_t lane = 0; lane < used; lane++) {
    for (int i = 0; i < 8; i++) states_[first + lane].words[i] = states.words[i][lane];
  }
}

}  // namespace meshward::hash
