#include "codec/toeplitz_split.h"

#include <algorithm>
#include <initializer_list>
#include <numeric>

namespace meshward::codec {
namespace {

using Offsets = ToeplitzSplit::Offsets;

/** The matrix that lies `blocks` block rows below (or, negative, columns to the right). */
Offsets moved(Offsets offsets, std::size_t blocks, int direction) {
  for (int& offset : offsets) offset += direction * static_cast<int>(blocks);
  return offsets;
}

/** The sum of matrices; an entry that is there twice cancels. */
Offsets sum(std::initializer_list<Offsets> parts) {
  Offsets all;
  for (const Offsets& part : parts) {
    for (const int offset : part) {
      const auto same = std::find(all.begin(), all.end(), offset);
      if (same == all.end()) {
        all.push_back(offset);
      } else {
        all.erase(same);
      }
    }
  }
  return all;
}

/** The largest number of rows up to `most` that splits in twos and threes down to one. */
std::size_t largest_split(std::size_t most) {
  const auto splits = [](std::size_t rows) {
    while (rows % 3 == 0) rows /= 3;
    while (rows % 2 == 0) rows /= 2;
    return rows == 1;
  };
  while (!splits(most)) most--;
  return most;
}

template <typename Target>
std::vector<Target> with_addends(std::span<const Target> targets, std::initializer_list<const std::vector<Target>*> added) {
  std::vector<Target> result(targets.begin(), targets.end());
  for (const auto* slots : added) {
    for (std::size_t i = 0; i < slots->size(); i++) result[i].addends.push_back((*slots)[i].at);
  }
  return result;
}

/** The parts, cut where they have more columns than `most`. */
template <typename Part>
std::vector<Part> cut(const std::vector<Part>& parts, std::size_t most) {
  std::vector<Part> result;
  for (const Part& part : parts) {
    for (std::size_t c = 0; c < part.blocks.size(); c += most) {
      const auto begin = part.blocks.begin() + static_cast<std::ptrdiff_t>(c);
      const auto end = begin + static_cast<std::ptrdiff_t>(std::min(most, part.blocks.size() - c));
      result.push_back({{begin, end}, moved(part.offsets, c, -1)});
    }
  }
  return result;
}

/** The same columns of the matrix for rows that lie `blocks` further down. */
template <typename Part>
std::vector<Part> lower(std::vector<Part> parts, std::size_t blocks) {
  for (Part& part : parts) part.offsets = moved(part.offsets, blocks, 1);
  return parts;
}

}  // namespace

ToeplitzSplit::ToeplitzSplit(std::size_t row_blocks, std::size_t column_blocks, std::size_t largest_square)
    : column_blocks_(column_blocks) {
  std::vector<Target> targets;
  for (std::size_t r = 0; r < row_blocks; r++) targets.push_back({true, static_cast<std::uint16_t>(r), {}});
  std::vector<std::uint16_t> columns(column_blocks);
  std::iota(columns.begin(), columns.end(), std::uint16_t{0});
  const Parts whole{{columns, {0}}};
  for (std::size_t r = 0, rows; r < row_blocks; r += rows) {
    rows = largest_split(std::min({row_blocks - r, largest_square, most_square}));
    multiply(Targets(targets).subspan(r, rows), lower(whole, r));
  }
}

/** As many rows as split in twos and threes down to one. */
void ToeplitzSplit::multiply(Targets targets, const Parts& parts) {
  const std::size_t rows = targets.size();
  if (rows == 1) return multiply_one(targets[0], cut(parts, 1));
  const std::size_t slots_before = slots_used_;
  Parts squares, others;
  for (Part& part : cut(parts, rows)) (part.blocks.size() == rows ? squares : others).push_back(std::move(part));
  if (rows % 3 == 0) {
    split_in_three(targets, squares, others);
  } else {
    split_in_two(targets, squares, others);
  }
  slots_used_ = slots_before;
}

void ToeplitzSplit::multiply_one(const Target& target, const Parts& parts) {
  ToeplitzStep step{target.at, target.is_final, static_cast<std::uint8_t>(target.addends.size()), {}, static_cast<std::uint16_t>(parts.size())};
  std::copy(target.addends.begin(), target.addends.end(), step.addends);
  steps_.push_back(step);
  for (const Part& part : parts) {
    term_blocks_.push_back(part.blocks[0]);
    offsets_.push_back(part.offsets);
  }
}

void ToeplitzSplit::split_in_two(Targets targets, const Parts& squares, const Parts& others) {
  const std::size_t half = targets.size() / 2;
  Parts for_both, upper = others, below = lower(others, half);
  for (const auto& [blocks, offsets] : squares) {
    const auto x0 = Blocks(blocks).first(half), x1 = Blocks(blocks).last(half);
    for_both.push_back({sums_of(x0, x1), offsets});
    upper.push_back({{x1.begin(), x1.end()}, sum({moved(offsets, half, -1), offsets})});
    below.push_back({{x0.begin(), x0.end()}, sum({moved(offsets, half, 1), offsets})});
  }
  const auto shared = slot_targets(squares.empty() ? 0 : half);
  if (!squares.empty()) multiply(shared, for_both);
  multiply(with_addends<Target>(targets.first(half), {&shared}), upper);
  multiply(with_addends<Target>(targets.last(half), {&shared}), below);
}

void ToeplitzSplit::split_in_three(Targets targets, const Parts& squares, const Parts& others) {
  const std::size_t third = targets.size() / 3;
  Parts for_0_1, for_0_2, for_1_2;
  Parts upper = others, middle = lower(others, third), below = lower(others, 2 * third);
  for (const auto& [blocks, offsets] : squares) {
    const auto part = [&, &offsets = offsets](int distance) { return moved(offsets, third, distance); };
    const auto x0 = Blocks(blocks).first(third), x1 = Blocks(blocks).subspan(third, third), x2 = Blocks(blocks).last(third);
    for_0_1.push_back({sums_of(x1, x2), part(-1)});
    for_0_2.push_back({sums_of(x0, x2), part(0)});
    for_1_2.push_back({sums_of(x0, x1), part(1)});
    upper.push_back({{x2.begin(), x2.end()}, sum({part(-2), part(-1), part(0)})});
    middle.push_back({{x1.begin(), x1.end()}, sum({part(-1), part(0), part(1)})});
    below.push_back({{x0.begin(), x0.end()}, sum({part(0), part(1), part(2)})});
  }
  const std::size_t slots = squares.empty() ? 0 : third;
  const auto y_0_1 = slot_targets(slots), y_0_2 = slot_targets(slots), y_1_2 = slot_targets(slots);
  if (!squares.empty()) {
    multiply(y_0_1, for_0_1);
    multiply(y_0_2, for_0_2);
    multiply(y_1_2, for_1_2);
  }
  multiply(with_addends<Target>(targets.first(third), {&y_0_1, &y_0_2}), upper);
  multiply(with_addends<Target>(targets.subspan(third, third), {&y_0_1, &y_1_2}), middle);
  multiply(with_addends<Target>(targets.last(third), {&y_0_2, &y_1_2}), below);
}

std::uint16_t ToeplitzSplit::sum_of(std::uint16_t a, std::uint16_t b) {
  const auto same = std::find_if(sums_.begin(), sums_.end(), [=](const ToeplitzSum& s) { return s.a == a && s.b == b; });
  const auto at = static_cast<std::size_t>(same - sums_.begin());
  if (same == sums_.end()) sums_.push_back({a, b});
  return static_cast<std::uint16_t>(column_blocks_ + at);
}

std::vector<std::uint16_t> ToeplitzSplit::sums_of(Blocks a, Blocks b) {
  std::vector<std::uint16_t> result;
  for (std::size_t i = 0; i < a.size(); i++) result.push_back(sum_of(a[i], b[i]));
  return result;
}

std::vector<ToeplitzSplit::Target> ToeplitzSplit::slot_targets(std::size_t count) {
  std::vector<Target> targets;
  for (; count > 0; count--) targets.push_back({false, static_cast<std::uint16_t>(slots_used_++), {}});
  slots_ = std::max(slots_, slots_used_);
  return targets;
}

}  // namespace meshward::codec
