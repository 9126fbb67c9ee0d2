#include "codec/toeplitz_split.h"

#include <algorithm>
#include <initializer_list>
#include <numeric>

namespace meshward::codec {
namespace {

using Offsets = ToeplitzSplit::Offsets;

constexpr int block_rows = toeplitz_block_rows;

/** The matrix that lies `blocks` block rows below (or, negative, columns to the right). */
Offsets moved(Offsets offsets, std::size_t blocks, int direction) {
  for (int& offset : offsets) offset += direction * static_cast<int>(blocks) * block_rows;
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
    for (std::size_t i = 0; i < result.size(); i++) result[i].addends.push_back((*slots)[i].at);
  }
  return result;
}

}  // namespace

ToeplitzSplit::ToeplitzSplit(std::size_t row_blocks, std::size_t column_blocks, int first_offset, std::size_t largest_square)
    : column_blocks_(column_blocks), largest_square_(largest_square) {
  std::vector<Target> targets;
  for (std::size_t r = 0; r < row_blocks; r++) targets.push_back({true, static_cast<std::uint16_t>(r), {}});
  std::vector<std::uint16_t> columns(column_blocks);
  std::iota(columns.begin(), columns.end(), std::uint16_t{0});
  multiply(targets, columns, {first_offset});
}

void ToeplitzSplit::multiply(Targets targets, Blocks blocks, const Offsets& offsets) {
  const std::size_t rows = targets.size();
  const std::size_t slots_before = slots_used_;
  const std::size_t square = largest_split(std::min({rows, blocks.size(), largest_square_}));
  if (rows > square) {
    for (std::size_t r = 0; r < rows; r += square) {
      multiply(targets.subspan(r, std::min(square, rows - r)), blocks, moved(offsets, r, 1));
    }
  } else if (blocks.size() > square) {
    multiply_parts(targets, blocks, offsets, square);
  } else if (rows == 1) {
    multiply_one(targets[0], blocks[0], offsets);
  } else if (rows % 3 == 0) {
    split_in_three(targets, blocks, offsets);
  } else {
    split_in_two(targets, blocks, offsets);
  }
  slots_used_ = slots_before;
}

/** More columns than rows: some columns at a time, each time adding what came before. */
void ToeplitzSplit::multiply_parts(Targets targets, Blocks blocks, const Offsets& offsets, std::size_t columns_a_part) {
  std::vector<Target> before;
  for (std::size_t c = 0; c < blocks.size(); c += columns_a_part) {
    const std::size_t columns = std::min(columns_a_part, blocks.size() - c);
    const bool is_last = c + columns == blocks.size();
    const std::vector<Target> to = is_last ? std::vector<Target>(targets.begin(), targets.end()) : slot_targets(targets.size());
    const std::vector<Target> adding = before.empty() ? to : with_addends<Target>(to, {&before});
    multiply(adding, blocks.subspan(c, columns), moved(offsets, c, -1));
    before = to;
  }
}

void ToeplitzSplit::multiply_one(const Target& target, std::uint16_t block, const Offsets& offsets) {
  ToeplitzStep step{block, target.at, target.is_final, static_cast<std::uint8_t>(target.addends.size()), {}};
  if (target.addends.size() > most_toeplitz_addends) {
    fits_ = false;
    return;
  }
  std::copy(target.addends.begin(), target.addends.end(), step.addends);
  steps_.push_back(step);
  offsets_.push_back(offsets);
}

void ToeplitzSplit::split_in_two(Targets targets, Blocks blocks, const Offsets& offsets) {
  const std::size_t half = targets.size() / 2;
  const auto x0 = blocks.first(half), x1 = blocks.last(half);
  const auto shared = slot_targets(half);
  multiply(shared, sums_of(x0, x1), offsets);
  multiply(with_addends<Target>(targets.first(half), {&shared}), x1, sum({moved(offsets, half, -1), offsets}));
  multiply(with_addends<Target>(targets.last(half), {&shared}), x0, sum({moved(offsets, half, 1), offsets}));
}

void ToeplitzSplit::split_in_three(Targets targets, Blocks blocks, const Offsets& offsets) {
  const std::size_t third = targets.size() / 3;
  const auto part = [&](int distance) { return moved(offsets, third, distance); };
  const auto x0 = blocks.first(third), x1 = blocks.subspan(third, third), x2 = blocks.last(third);
  const auto for_0_1 = slot_targets(third), for_0_2 = slot_targets(third), for_1_2 = slot_targets(third);
  multiply(for_0_1, sums_of(x1, x2), part(-1));
  multiply(for_0_2, sums_of(x0, x2), part(0));
  multiply(for_1_2, sums_of(x0, x1), part(1));
  multiply(with_addends<Target>(targets.first(third), {&for_0_1, &for_0_2}), x2, sum({part(-2), part(-1), part(0)}));
  multiply(with_addends<Target>(targets.subspan(third, third), {&for_0_1, &for_1_2}), x1, sum({part(-1), part(0), part(1)}));
  multiply(with_addends<Target>(targets.last(third), {&for_0_2, &for_1_2}), x0, sum({part(0), part(1), part(2)}));
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
