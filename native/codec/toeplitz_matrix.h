#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace meshward::codec {

/** weight(w, i) = row_scales[w] · entry_at(first_distance + w - c) · column_scales[c], with source i = first_column + c. */
struct ToeplitzMatrix {
  /**
   * Nothing where the numbers are not consecutive and ascending. `weights`: wanted × sources, as lagrange_weights gives them.
   * Source 0, which is no column, is added to every other source before, and to every wanted share after: it needs no product.
   */
  static std::optional<ToeplitzMatrix> find(std::span<const std::uint8_t> source_numbers, std::span<const std::uint8_t> wanted_numbers,
                                            std::span<const std::uint8_t> weights);

  /** 1 / (1 + a^distance). Rows and columns that only fill up a block meet a^distance = 1: any value does for them. */
  static std::uint8_t entry_at(int distance);

  std::size_t first_column;  // 1 where source 0 is share 0
  int first_distance;
  std::vector<std::uint8_t> column_scales;
  std::vector<std::uint8_t> row_scales;
};

}  // namespace meshward::codec
