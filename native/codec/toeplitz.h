#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "codec/kernel.h"

namespace meshward::codec {

/** How consecutive shares come from consecutive shares (encoding, above all) by fewer products. Immutable. */
class ToeplitzPlan {
 public:
  /**
   * Null where the numbers are not consecutive and ascending, or where one product a source and output is hardly more work.
   * `weights`: wanted × sources, as lagrange_weights gives them.
   */
  static std::unique_ptr<const ToeplitzPlan> make(std::span<const std::uint8_t> source_numbers,
                                                  std::span<const std::uint8_t> wanted_numbers,
                                                  std::span<const std::uint8_t> weights);

  const ToeplitzProgram& program() const { return program_; }
  std::size_t size_bytes() const;

 private:
  ToeplitzPlan() = default;

  ToeplitzProgram program_{};
  std::vector<std::uint64_t> column_scales_;
  std::vector<std::uint64_t> row_scales_;
  std::vector<std::uint64_t> direct_weights_;
  std::vector<std::uint64_t> matrices_;
  std::vector<ToeplitzSum> sums_;
  std::vector<ToeplitzStep> steps_;
  std::vector<ToeplitzTerm> terms_;
};

}  // namespace meshward::codec
