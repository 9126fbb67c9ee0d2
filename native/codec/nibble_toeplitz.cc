#include "codec/nibble_toeplitz.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "codec/toeplitz_matrix.h"
#include "codec/toeplitz_split.h"

namespace meshward::codec {
namespace {

constexpr int block_rows = nibble_block_rows;
// What things take, in products of which each is added to something, as measured.
constexpr double term_cost = 18;
constexpr double sum_cost = 10;
constexpr double slot_cost = 1.6;  // of a step that is kept, and of each time that it is added
constexpr double step_cost = 2.5;
constexpr double column_cost = 2;
// Of one product a source and output.
constexpr double worth_it = 1.02;

struct Choice {
  ToeplitzSplit split;
  double cost;
};

double cost_of(const ToeplitzSplit& split, std::size_t columns) {
  double cost = term_cost * static_cast<double>(split.term_blocks().size()) + sum_cost * static_cast<double>(split.sums().size()) +
                step_cost * static_cast<double>(split.steps().size()) + column_cost * static_cast<double>(columns);
  for (const ToeplitzStep& step : split.steps()) cost += slot_cost * ((step.is_final ? 0 : 1) + step.addend_count);
  return cost;
}

std::optional<Choice> cheapest(std::size_t columns, std::size_t wanted) {
  const std::size_t column_blocks = (columns + block_rows - 1) / block_rows, row_blocks = (wanted + block_rows - 1) / block_rows;
  std::optional<Choice> best;
  for (const std::size_t largest_square : {8u, 6u, 4u, 3u, 2u, 1u}) {
    if (largest_square > std::min(row_blocks, column_blocks)) continue;  // it would have no square to split
    ToeplitzSplit split(row_blocks, column_blocks, largest_square);
    if (split.blocks() > most_nibble_blocks || split.slots() > most_nibble_slots) continue;
    const double cost = cost_of(split, columns);
    if (!best || cost < best->cost) best.emplace(Choice{std::move(split), cost});
  }
  return best;
}

/** The nine weights that a 4 × 4 matrix split in two twice comes down to. */
std::array<std::uint8_t, nibble_tables_a_term> split_in_two_twice(const ToeplitzSplit::Offsets& offsets, int first_distance) {
  std::array<std::uint8_t, nibble_tables_a_term> weights{};
  std::size_t at = 0;
  const auto parts = {0, -1, 1};  // of a split in two: T(0), T(-1) + T(0), T(1) + T(0)
  for (const int outer : parts) {
    for (const int inner : parts) {
      std::uint8_t& weight = weights[at++];
      for (const int offset : offsets) {
        const int distance = first_distance + block_rows * offset;
        weight ^= ToeplitzMatrix::entry_at(distance);
        if (outer != 0) weight ^= ToeplitzMatrix::entry_at(distance + 2 * outer);
        if (inner != 0) weight ^= ToeplitzMatrix::entry_at(distance + inner);
        if (outer != 0 && inner != 0) weight ^= ToeplitzMatrix::entry_at(distance + 2 * outer + inner);
      }
    }
  }
  return weights;
}

}  // namespace

NibbleToeplitzPlan::Table NibbleToeplitzPlan::table_of(std::uint8_t weight) {
  Table table;
  fill_nibble_table(weight, table.bytes);
  return table;
}

std::unique_ptr<const NibbleToeplitzPlan> NibbleToeplitzPlan::make(std::span<const std::uint8_t> source_numbers,
                                                                   std::span<const std::uint8_t> wanted_numbers,
                                                                   std::span<const std::uint8_t> weights) {
  const auto matrix = ToeplitzMatrix::find(source_numbers, wanted_numbers, weights);
  if (!matrix) return nullptr;
  const auto choice = cheapest(matrix->column_scales.size(), wanted_numbers.size());
  if (!choice || choice->cost > worth_it * static_cast<double>(weights.size())) return nullptr;

  const ToeplitzSplit& split = choice->split;
  std::unique_ptr<NibbleToeplitzPlan> plan(new NibbleToeplitzPlan);
  for (const std::uint8_t scale : matrix->column_scales) plan->column_scales_.push_back(table_of(scale));
  for (const std::uint8_t scale : matrix->row_scales) plan->row_scales_.push_back(table_of(scale));
  plan->sums_ = split.sums();
  plan->steps_ = split.steps();
  plan->term_blocks_ = split.term_blocks();
  for (const auto& offsets : split.offsets()) {
    for (const std::uint8_t weight : split_in_two_twice(offsets, matrix->first_distance)) plan->tables_.push_back(table_of(weight));
  }
  plan->program_ = {
      .first_column = matrix->first_column,
      .columns = plan->column_scales_.size(),
      .column_blocks = split.blocks() - split.sums().size(),
      .slots = split.slots(),
      .column_scales = plan->column_scales_.data()->bytes,
      .row_scales = plan->row_scales_.data()->bytes,
      .sums = plan->sums_.data(),
      .sum_count = plan->sums_.size(),
      .steps = plan->steps_.data(),
      .step_count = plan->steps_.size(),
      .term_blocks = plan->term_blocks_.data(),
      .tables = plan->tables_.data()->bytes,
  };
  return plan;
}

std::size_t NibbleToeplitzPlan::size_bytes() const {
  return sizeof(*this) + (column_scales_.size() + row_scales_.size() + tables_.size()) * sizeof(Table) + sums_.size() * sizeof(ToeplitzSum) +
         steps_.size() * sizeof(ToeplitzStep) + term_blocks_.size() * sizeof(std::uint16_t);
}

}  // namespace meshward::codec
