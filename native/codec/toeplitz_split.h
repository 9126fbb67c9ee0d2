#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "codec/kernel.h"

namespace meshward::codec {

/**
 * Multiplies a Toeplitz matrix of blocks by blocks of columns with fewer than rows × columns products of blocks: writes the
 * steps and the sums of blocks that they need. Products that several rows share are kept in slots.
 *
 * A matrix T[r - c] of two by two parts,
 *   y0 = T(0) x0 + T(-1) x1,   y1 = T(1) x0 + T(0) x1,
 * takes three products instead of four, the first of them for both rows (addition is xor):
 *   p = T(0) (x0 + x1),   y0 = p + (T(-1) + T(0)) x1,   y1 = p + (T(1) + T(0)) x0;
 * and one of three by three takes six instead of nine (Fan and Hasan, "A new approach to subquadratic space complexity
 * parallel multipliers for extended binary fields", IEEE Transactions on Computers 56, 2007).
 *
 * Of a matrix with more columns than rows the square parts are split beside each other: what they add to the same rows, or to
 * the same slot, is one step of several terms.
 */
class ToeplitzSplit {
 public:
  /** Which blocks of T, by their distance from its diagonal in blocks, a block of the matrix is the sum of. */
  using Offsets = std::vector<int>;

  /** Whatever splits in twos and threes up to this does so in three splits: what `most_toeplitz_addends` allows. */
  static constexpr std::size_t most_square = 8;

  /** `largest_square`: the largest matrix of blocks, by its rows, that is split, up to `most_square`; larger ones are cut into such. */
  ToeplitzSplit(std::size_t row_blocks, std::size_t column_blocks, std::size_t largest_square);

  const std::vector<ToeplitzSum>& sums() const { return sums_; }
  const std::vector<ToeplitzStep>& steps() const { return steps_; }
  /** The block of each term. */
  const std::vector<std::uint16_t>& term_blocks() const { return term_blocks_; }
  /** The matrix of each term. */
  const std::vector<Offsets>& offsets() const { return offsets_; }
  std::size_t blocks() const { return column_blocks_ + sums_.size(); }
  std::size_t slots() const { return slots_; }

 private:
  /** Where a row of blocks goes, and the slots that are added to it. */
  struct Target {
    bool is_final;
    std::uint16_t at;
    std::vector<std::uint16_t> addends;
  };
  using Targets = std::span<const Target>;
  using Blocks = std::span<const std::uint16_t>;
  /** Some columns of a matrix: its first row's first block, and what it is multiplied by. */
  struct Part {
    std::vector<std::uint16_t> blocks;
    Offsets offsets;
  };
  using Parts = std::vector<Part>;

  void multiply(Targets targets, const Parts& parts);
  void multiply_one(const Target& target, const Parts& parts);
  void split_in_two(Targets targets, const Parts& squares, const Parts& others);
  void split_in_three(Targets targets, const Parts& squares, const Parts& others);

  std::uint16_t sum_of(std::uint16_t a, std::uint16_t b);
  std::vector<std::uint16_t> sums_of(Blocks a, Blocks b);
  std::vector<Target> slot_targets(std::size_t count);

  const std::size_t column_blocks_;
  std::vector<ToeplitzSum> sums_;
  std::vector<ToeplitzStep> steps_;
  std::vector<std::uint16_t> term_blocks_;
  std::vector<Offsets> offsets_;
  std::size_t slots_ = 0;
  std::size_t slots_used_ = 0;
};

}  // namespace meshward::codec
