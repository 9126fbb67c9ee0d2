#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "codec/kernel.h"
#include "codec/nibble_toeplitz.h"
#include "codec/toeplitz.h"
#include "isa/isa.h"

namespace meshward::codec {

const Kernel& kernel_for(isa::Level level);

/** How the wanted shares come from the sources: the weights as one kernel's tables. Immutable; shared between threads. */
class Plan {
 public:
  Plan(std::span<const std::uint8_t> source_numbers, std::span<const std::uint8_t> wanted_numbers, isa::Level level);

  struct Copy {
    std::size_t source;
    std::size_t wanted;
  };

  std::size_t source_count() const { return source_count_; }
  std::size_t wanted_count() const { return copies_.size() + computed_.size(); }
  /** Wanted shares that are among the sources. */
  const std::vector<Copy>& copies() const { return copies_; }
  /** Positions, among the wanted, of those that the kernel computes. */
  const std::vector<std::size_t>& computed() const { return computed_; }
  const Kernel& kernel() const { return kernel_; }
  const void* tables() const { return tables_.get(); }
  /** Null where the matrix has no such structure, or the kernel no use for it. */
  const ToeplitzProgram* toeplitz() const { return toeplitz_ ? &toeplitz_->program() : nullptr; }
  const NibbleToeplitzProgram* nibble_toeplitz() const { return nibble_toeplitz_ ? &nibble_toeplitz_->program() : nullptr; }
  std::size_t size_bytes() const {
    return table_bytes_ + 512 + (toeplitz_ ? toeplitz_->size_bytes() : 0) + (nibble_toeplitz_ ? nibble_toeplitz_->size_bytes() : 0);
  }

 private:
  struct FreeAligned {
    void operator()(void* memory) const;
  };

  const Kernel& kernel_;
  std::size_t source_count_;
  std::vector<Copy> copies_;
  std::vector<std::size_t> computed_;
  std::size_t table_bytes_ = 0;
  std::unique_ptr<void, FreeAligned> tables_;
  std::unique_ptr<const ToeplitzPlan> toeplitz_;
  std::unique_ptr<const NibbleToeplitzPlan> nibble_toeplitz_;
};

/** The plans used last, since the segments of a file and the files of a campaign ask for the same one again and again. */
class PlanCache {
 public:
  explicit PlanCache(std::size_t most_bytes) : most_bytes_(most_bytes) {}

  std::shared_ptr<const Plan> get(std::span<const std::uint8_t> source_numbers, std::span<const std::uint8_t> wanted_numbers,
                                  isa::Level level);
  std::size_t size_bytes() const;

 private:
  struct Entry {
    std::string key;
    std::shared_ptr<const Plan> plan;
  };

  const std::size_t most_bytes_;
  mutable std::mutex mutex_;
  std::list<Entry> newest_first_;
  std::map<std::string, std::list<Entry>::iterator, std::less<>> by_key_;
  std::size_t bytes_ = 0;
};

}  // namespace meshward::codec
