#include "codec/weights.h"

#include "codec/field.h"

namespace meshward::codec {

// Every share is the value, at its own point, of one polynomial f of degree < k. Through k points (x_i, s_i) Lagrange gives
//   f(x) = sum_i s_i * prod_{j != i} (x - x_j) / (x_i - x_j)
// where subtraction is xor. With logarithms (mod 255) a weight is  P(x) - log(x - x_i) - D_i,  P(x) = sum_j log(x - x_j),
// D_i = sum_{j != i} log(x_i - x_j): one pass over the pairs of sources, then O(k) for each wanted share, no matrix inverted.
std::vector<std::uint8_t> lagrange_weights(std::span<const std::uint8_t> source_numbers,
                                           std::span<const std::uint8_t> wanted_numbers) {
  const std::size_t k = source_numbers.size();
  std::vector<std::uint8_t> points(k);
  for (std::size_t i = 0; i < k; i++) points[i] = point_of(source_numbers[i]);

  std::vector<unsigned> denominator(k);
  for (std::size_t i = 0; i < k; i++) {
    unsigned sum = 0;
    for (std::size_t j = 0; j < k; j++) sum += j == i ? 0 : field.log[points[i] ^ points[j]];
    denominator[i] = sum % 255;
  }

  std::vector<std::uint8_t> weights(k * wanted_numbers.size(), 0);
  for (std::size_t w = 0; w < wanted_numbers.size(); w++) {
    std::uint8_t* row = weights.data() + w * k;
    const std::uint8_t x = point_of(wanted_numbers[w]);
    unsigned product = 0;
    bool is_source = false;
    for (std::size_t i = 0; i < k; i++) {
      if (x == points[i]) {
        row[i] = 1;
        is_source = true;
        break;
      }
      product += field.log[x ^ points[i]];
    }
    if (is_source) continue;
    product %= 255;
    for (std::size_t i = 0; i < k; i++) {
      // Each term is below 255, so 510 keeps the difference above zero.
      row[i] = field.power[(product + 510 - field.log[x ^ points[i]] - denominator[i]) % 255];
    }
  }
  return weights;
}

}  // namespace meshward::codec
