// A register of 16 bytes with the names of registers_x64.h, on 64-bit ARM.

#include <arm_neon.h>

namespace meshward::share_map {
namespace {

struct Neon {
  using Type = uint8x16_t;
  static constexpr std::uint32_t bytes = 16;
  static Type zero() { return vdupq_n_u8(0); }
  static Type load(const std::uint8_t* at) { return vld1q_u8(at); }
  static Type broadcast(const std::uint8_t* at) { return load(at); }
  static Type fill(std::uint8_t value) { return vdupq_n_u8(value); }
  static Type add(Type a, Type b) { return vqaddq_u8(a, b); }
  static Type subtract(Type a, Type b) { return vqsubq_u8(a, b); }
  static Type larger(Type a, Type b) { return vmaxq_u8(a, b); }
  static Type smaller(Type a, Type b) { return vminq_u8(a, b); }
  static Type shuffle(Type a, Type from) { return vqtbl1q_u8(a, from); }
  static Type choose(Type mask, Type a, Type b) { return vbslq_u8(mask, a, b); }
  template <int count>
  static Type shift(Type a) { return vextq_u8(zero(), a, 16 - count); }
  /** ARM has no movemask: each lane keeps its own bit of a byte, and each half is added up. */
  static std::uint64_t not_zero(Type a) {
    alignas(16) static constexpr std::uint8_t bit_of_lane[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    const Type bits = vandq_u8(vtstq_u8(a, a), vld1q_u8(bit_of_lane));
    return static_cast<std::uint64_t>(vaddv_u8(vget_low_u8(bits))) | static_cast<std::uint64_t>(vaddv_u8(vget_high_u8(bits))) << 8;
  }
};

}  // namespace
}  // namespace meshward::share_map
