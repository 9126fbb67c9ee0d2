#pragma once
// GF(2^8) with the polynomial x^8 + x^4 + x^3 + x^2 + 1 (0x11D) and the generator 2, and zfec's evaluation points.

#include <array>
#include <cstddef>
#include <cstdint>

namespace meshward::codec {

struct Field {
  std::array<std::uint8_t, 512> power{};  // power[e] = 2^e for 0 <= e < 510, so that a sum of two logarithms needs no modulo
  std::array<std::uint8_t, 256> log{};    // log[0] is never asked for
};

constexpr Field make_field() {
  Field field;
  unsigned value = 1;
  for (unsigned e = 0; e < 255; e++) {
    field.power[e] = field.power[e + 255] = static_cast<std::uint8_t>(value);
    field.log[value] = static_cast<std::uint8_t>(e);
    value <<= 1;
    if (value & 0x100) value ^= 0x11d;
  }
  return field;
}

inline constexpr Field field = make_field();

constexpr std::uint8_t multiply(std::uint8_t a, std::uint8_t b) {
  return a == 0 || b == 0 ? 0 : field.power[field.log[a] + field.log[b]];
}

/** Where the file's polynomial is evaluated to give share `number`: 0 for share 0, 2^(number - 1) for the others. */
constexpr std::uint8_t point_of(std::uint8_t number) { return number == 0 ? 0 : field.power[number - 1u]; }

}  // namespace meshward::codec
