#include "codec/plan.h"

#include <algorithm>
#include <new>

#include "codec/weights.h"

namespace meshward::codec {
namespace {

constexpr std::align_val_t table_alignment{64};

std::string key_of(std::span<const std::uint8_t> source_numbers, std::span<const std::uint8_t> wanted_numbers,
                   isa::Level level) {
  std::string key;
  key.reserve(2 + source_numbers.size() + wanted_numbers.size());
  key.push_back(static_cast<char>(level));
  key.push_back(static_cast<char>(source_numbers.size() - 1));
  key.append(source_numbers.begin(), source_numbers.end());
  key.append(wanted_numbers.begin(), wanted_numbers.end());
  return key;
}

}  // namespace

const Kernel& kernel_for(isa::Level level) {
  switch (level) {
#if defined(__x86_64__)
    case isa::Level::ssse3: return ssse3_kernel;
    case isa::Level::avx2: return avx2_kernel;
    case isa::Level::avx512: return avx512_kernel;
    case isa::Level::gfni: return gfni_kernel;
#elif defined(__aarch64__)
    case isa::Level::neon: return neon_kernel;
#endif
    default: return scalar_kernel;
  }
}

void Plan::FreeAligned::operator()(void* memory) const { ::operator delete(memory, table_alignment); }

Plan::Plan(std::span<const std::uint8_t> source_numbers, std::span<const std::uint8_t> wanted_numbers, isa::Level level)
    : kernel_(kernel_for(level)), source_count_(source_numbers.size()) {
  std::vector<std::uint8_t> computed_numbers;
  for (std::size_t w = 0; w < wanted_numbers.size(); w++) {
    const auto source = std::find(source_numbers.begin(), source_numbers.end(), wanted_numbers[w]);
    if (source != source_numbers.end()) {
      copies_.push_back({static_cast<std::size_t>(source - source_numbers.begin()), w});
    } else {
      computed_.push_back(w);
      computed_numbers.push_back(wanted_numbers[w]);
    }
  }
  const std::vector<std::uint8_t> weights = lagrange_weights(source_numbers, computed_numbers);
  table_bytes_ = weights.size() * kernel_.table_entry_bytes;
  tables_.reset(::operator new(table_bytes_, table_alignment));
  auto* entry = static_cast<std::uint8_t*>(tables_.get());
  for (std::size_t first = 0, end; first < computed_.size(); first = end) {
    end = first + group_size(computed_.size() - first, kernel_.outputs_a_group);
    for (std::size_t i = 0; i < source_count_; i++) {
      for (std::size_t j = first; j < end; j++, entry += kernel_.table_entry_bytes) {
        kernel_.fill_table(weights[j * source_count_ + i], entry);
      }
    }
  }
  if (kernel_.runs == Kernel::Runs::toeplitz) toeplitz_ = ToeplitzPlan::make(source_numbers, computed_numbers, weights);
  if (kernel_.runs == Kernel::Runs::nibble_toeplitz) nibble_toeplitz_ = NibbleToeplitzPlan::make(source_numbers, computed_numbers, weights);
}

std::shared_ptr<const Plan> PlanCache::get(std::span<const std::uint8_t> source_numbers,
                                           std::span<const std::uint8_t> wanted_numbers, isa::Level level) {
  std::string key = key_of(source_numbers, wanted_numbers, level);
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = by_key_.find(key); found != by_key_.end()) {
      newest_first_.splice(newest_first_.begin(), newest_first_, found->second);
      return found->second->plan;
    }
  }
  auto plan = std::make_shared<const Plan>(source_numbers, wanted_numbers, level);
  const std::lock_guard lock(mutex_);
  if (by_key_.contains(key)) return plan;  // another thread made it meanwhile
  newest_first_.push_front({key, plan});
  by_key_.emplace(std::move(key), newest_first_.begin());
  bytes_ += plan->size_bytes();
  while (bytes_ > most_bytes_ && newest_first_.size() > 1) {
    bytes_ -= newest_first_.back().plan->size_bytes();
    by_key_.erase(newest_first_.back().key);
    newest_first_.pop_back();
  }
  return plan;
}

std::size_t PlanCache::size_bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

}  // namespace meshward::codec
