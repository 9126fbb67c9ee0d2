#include "codec/toeplitz_matrix.h"

#include "codec/field.h"

// Why the matrix of an encoding is diagonal · Toeplitz · diagonal. Share i is f(x_i), x_0 = 0 and x_i = a^(i - 1) with a = 2. A
// weight (weights.cc) is
//   P(x_w) / ((x_w - x_i) D_i)   with   x_w - x_i = a^(w - 1) - a^(i - 1) = a^(i - 1) (a^(w - i) - 1)   for w, i > 0,
// which is
//   P(x_w) · 1 / (1 + a^(w - i)) · 1 / (a^(i - 1) D_i):
// a factor of the row, one of the column, and between them one that hangs on w - i alone. Where the sources are consecutive
// shares and the wanted ones too, that is a Toeplitz matrix, and toeplitz_split.h multiplies by one with fewer products.
//
// The point 0 is no power of a. But the weights of a row add up to 1, since they interpolate constants: share w is source 0 plus
// the weighted sum of all other sources, each plus source 0; so that source needs no product. Share 0 among the wanted is left
// to the other kernels.

namespace meshward::codec {
namespace {

bool is_run(std::span<const std::uint8_t> numbers) {
  for (std::size_t i = 1; i < numbers.size(); i++) {
    if (numbers[i] != numbers[i - 1] + 1) return false;
  }
  return !numbers.empty();
}

std::uint8_t inverse(std::uint8_t value) { return field.power[255 - field.log[value]]; }

}  // namespace

std::uint8_t ToeplitzMatrix::entry_at(int distance) {
  const auto exponent = static_cast<unsigned>((distance % 255 + 255) % 255);
  return exponent == 0 ? 0 : inverse(static_cast<std::uint8_t>(1 ^ field.power[exponent]));
}

std::optional<ToeplitzMatrix> ToeplitzMatrix::find(std::span<const std::uint8_t> source_numbers,
                                                   std::span<const std::uint8_t> wanted_numbers, std::span<const std::uint8_t> weights) {
  if (!is_run(source_numbers) || !is_run(wanted_numbers) || wanted_numbers[0] == 0) return std::nullopt;
  const std::size_t k = source_numbers.size();
  const std::size_t first = source_numbers[0] == 0 ? 1 : 0;
  if (first == k) return std::nullopt;
  const auto entry = [&](std::size_t w, std::size_t i) { return entry_at(wanted_numbers[w] - source_numbers[i]); };
  ToeplitzMatrix matrix{first, wanted_numbers[0] - source_numbers[first], {}, {}};
  // The diagonals are determined but for one factor: it is chosen so that the first column's is 1.
  for (std::size_t w = 0; w < wanted_numbers.size(); w++) {
    matrix.row_scales.push_back(multiply(weights[w * k + first], inverse(entry(w, first))));
  }
  for (std::size_t i = first; i < k; i++) {
    matrix.column_scales.push_back(multiply(weights[i], inverse(multiply(matrix.row_scales[0], entry(0, i)))));
  }
  return matrix;
}

}  // namespace meshward::codec
