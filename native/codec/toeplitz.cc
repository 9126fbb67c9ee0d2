#include "codec/toeplitz.h"

#include <algorithm>
#include <optional>

#include "codec/toeplitz_matrix.h"
#include "codec/toeplitz_split.h"

namespace meshward::codec {
namespace {

constexpr std::size_t block_rows = toeplitz_block_rows;
// What things take, in products of which each is added to something, as measured.
constexpr double term_cost = 38;
constexpr double half_term_cost = 27;
constexpr double sum_cost = 24;
constexpr double slot_cost = 14;  // of a step that is kept and added later
constexpr double column_cost = 2;
constexpr double row_cost = 3;
constexpr double direct_cost = 2;       // of a product with a column behind the last block
constexpr double other_row_cost = 1.2;  // of a product in a row below the last block
// Of one product a source and output.
constexpr double worth_it = 0.8;

struct Shape {
  std::size_t columns;  // of the sources; the last block may have fewer than eight
  std::size_t column_blocks;
  std::size_t rows;
  std::size_t row_blocks;
};

struct Choice {
  Shape shape;
  ToeplitzSplit split;
  double cost;
};

std::uint64_t affine_matrix(std::uint8_t weight) {
  std::uint64_t matrix;
  fill_affine_table(weight, &matrix);
  return matrix;
}

/** Whether the last four columns of a block are there only to fill it up. */
bool is_half(std::size_t block, const Shape& shape) { return block + 1 == shape.column_blocks && shape.columns + 4 <= shape.column_blocks * block_rows; }

double cost_of(const ToeplitzSplit& split, const Shape& shape, std::size_t power_sources, std::size_t wanted) {
  const auto direct_columns = static_cast<double>(power_sources - shape.columns);
  double cost = sum_cost * static_cast<double>(split.sums().size()) + column_cost * static_cast<double>(shape.columns) +
                (row_cost + direct_cost * direct_columns) * static_cast<double>(shape.rows) +
                other_row_cost * static_cast<double>((wanted - shape.rows) * (power_sources + 1));
  for (const std::size_t block : split.term_blocks()) cost += is_half(block, shape) ? half_term_cost : term_cost;
  for (const ToeplitzStep& step : split.steps()) cost += step.is_final ? 0 : slot_cost;
  return cost;
}

/** The cheapest way to cut the matrix: what is left over of whole blocks is filled up with zeros, or multiplied singly. */
std::optional<Choice> cheapest(std::size_t power_sources, std::size_t wanted) {
  std::optional<Choice> best;
  for (const std::size_t column_blocks : {power_sources / block_rows, (power_sources + block_rows - 1) / block_rows}) {
    for (const std::size_t row_blocks : {wanted / block_rows, (wanted + block_rows - 1) / block_rows}) {
      if (column_blocks == 0 || row_blocks == 0 || row_blocks * block_rows + most_other_rows < wanted) continue;
      const Shape shape{std::min(power_sources, column_blocks * block_rows), column_blocks, std::min(wanted, row_blocks * block_rows), row_blocks};
      for (const std::size_t largest_square : {8u, 6u, 4u, 3u, 2u, 1u}) {
        if (largest_square > std::min(row_blocks, column_blocks)) continue;  // it would have no square to split
        ToeplitzSplit split(row_blocks, column_blocks, largest_square);
        if (split.blocks() + split.slots() > most_toeplitz_blocks) continue;
        const double cost = cost_of(split, shape, power_sources, wanted);
        if (!best || cost < best->cost) best.emplace(Choice{shape, std::move(split), cost});
      }
    }
  }
  return best;
}

/**
 * The nine 2 × 2 matrices that an 8 × 8 one is split into, twice in two, each by its three values: on the diagonal, right of
 * it and below it.
 */
void append_matrices(const ToeplitzSplit::Offsets& offsets, int first_distance, std::vector<std::uint64_t>& matrices) {
  const auto parts = {0, -1, 1};  // of a split in two: T(0), T(-1) + T(0), T(1) + T(0)
  for (const int outer : parts) {
    for (const int inner : parts) {
      for (const int distance : parts) {
        std::uint8_t value = 0;
        for (const int offset : offsets) {
          const int at = first_distance + static_cast<int>(block_rows) * offset + distance;
          value ^= ToeplitzMatrix::entry_at(at);
          if (outer != 0) value ^= ToeplitzMatrix::entry_at(at + 4 * outer);
          if (inner != 0) value ^= ToeplitzMatrix::entry_at(at + 2 * inner);
          if (outer != 0 && inner != 0) value ^= ToeplitzMatrix::entry_at(at + 4 * outer + 2 * inner);
        }
        matrices.push_back(affine_matrix(value));
      }
    }
  }
}

}  // namespace

std::unique_ptr<const ToeplitzPlan> ToeplitzPlan::make(std::span<const std::uint8_t> source_numbers,
                                                       std::span<const std::uint8_t> wanted_numbers,
                                                       std::span<const std::uint8_t> weights) {
  const auto matrix = ToeplitzMatrix::find(source_numbers, wanted_numbers, weights);
  if (!matrix) return nullptr;
  const std::size_t k = source_numbers.size();
  const std::size_t first = matrix->first_column;
  const auto choice = cheapest(k - first, wanted_numbers.size());
  if (!choice || choice->cost > worth_it * static_cast<double>(weights.size())) return nullptr;

  std::unique_ptr<ToeplitzPlan> plan(new ToeplitzPlan);
  const Shape& shape = choice->shape;
  const std::size_t end = first + shape.columns;
  const std::size_t filled_rows = shape.row_blocks * block_rows;

  for (std::size_t w = 0; w < shape.rows; w++) {
    plan->row_scales_.push_back(affine_matrix(matrix->row_scales[w]));
    for (std::size_t i = end; i < k; i++) plan->direct_weights_.push_back(affine_matrix(weights[w * k + i]));
  }
  for (std::size_t c = 0; c < shape.columns; c++) plan->column_scales_.push_back(affine_matrix(matrix->column_scales[c]));
  // Rows that fill up the last block are computed too, and not stored.
  plan->row_scales_.resize(filled_rows);
  plan->direct_weights_.resize(filled_rows * (k - end));

  plan->sums_ = choice->split.sums();
  plan->steps_ = choice->split.steps();
  for (const std::uint16_t block : choice->split.term_blocks()) plan->terms_.push_back({block, is_half(block, shape)});
  for (const auto& offsets : choice->split.offsets()) append_matrices(offsets, matrix->first_distance, plan->matrices_);
  plan->program_ = {
      .first_column = first,
      .columns = shape.columns,
      .column_blocks = shape.column_blocks,
      .rows = shape.rows,
      .slots = choice->split.slots(),
      .adds_first_source = first == 1,
      .column_scales = plan->column_scales_.data(),
      .row_scales = plan->row_scales_.data(),
      .direct_columns = k - end,
      .direct_weights = plan->direct_weights_.data(),
      .sums = plan->sums_.data(),
      .sum_count = plan->sums_.size(),
      .steps = plan->steps_.data(),
      .step_count = plan->steps_.size(),
      .terms = plan->terms_.data(),
      .matrices = plan->matrices_.data(),
  };
  return plan;
}

std::size_t ToeplitzPlan::size_bytes() const {
  const std::size_t matrices = column_scales_.size() + row_scales_.size() + direct_weights_.size() + matrices_.size();
  return sizeof(*this) + matrices * sizeof(std::uint64_t) + sums_.size() * sizeof(ToeplitzSum) + steps_.size() * sizeof(ToeplitzStep) +
         terms_.size() * sizeof(ToeplitzTerm);
}

}  // namespace meshward::codec
