#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "codec/kernel.h"

namespace meshward::codec {

/** As ToeplitzPlan, for kernels whose products are look-ups. Immutable. */
class NibbleToeplitzPlan {
 public:
  /** Null where the matrix has no such structure, or where one product a source and output is hardly more work. */
  static std::unique_ptr<const NibbleToeplitzPlan> make(std::span<const std::uint8_t> source_numbers,
                                                        std::span<const std::uint8_t> wanted_numbers,
                                                        std::span<const std::uint8_t> weights);

  const NibbleToeplitzProgram& program() const { return program_; }
  std::size_t size_bytes() const;

 private:
  NibbleToeplitzPlan() = default;

  /** 32 bytes, aligned as kernels load them. */
  struct alignas(32) Table {
    std::uint8_t bytes[32];
  };
  static Table table_of(std::uint8_t weight);

  NibbleToeplitzProgram program_{};
  std::vector<Table> column_scales_;
  std::vector<Table> row_scales_;
  std::vector<Table> tables_;
  std::vector<ToeplitzSum> sums_;
  std::vector<ToeplitzStep> steps_;
  std::vector<std::uint16_t> term_blocks_;
};

}  // namespace meshward::codec
