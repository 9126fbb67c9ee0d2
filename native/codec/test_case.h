#pragma once
// For the test programs of this folder: blocks of shares between guard pages, regenerated at every level.

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <numeric>
#include <vector>

#include "check.h"
#include "codec/regenerate.h"
#include "isa/isa.h"

namespace meshward::codec::test {

using check::GuardedBlock;
using check::Random;
using Against = GuardedBlock::Against;

/** k sources and r outputs of random numbers, each block against a guard page before or after it. */
struct Case {
  std::vector<std::uint8_t> source_numbers;
  std::vector<std::uint8_t> wanted_numbers;
  std::vector<GuardedBlock> sources;
  std::vector<GuardedBlock> outputs;

  Case(std::size_t k, std::size_t r, std::size_t length, Against against, Random& random) {
    std::vector<std::uint8_t> order(256);
    std::iota(order.begin(), order.end(), 0);
    for (std::size_t i = 255; i > 0; i--) std::swap(order[i], order[random.below(i + 1)]);
    source_numbers.assign(order.begin(), order.begin() + static_cast<long>(k));
    wanted_numbers.assign(order.end() - static_cast<long>(r), order.end());
    make_blocks(k, r, length, against, random);
  }

  /** Consecutive sources from `first` on, and consecutive wanted shares from `first_wanted` on, as an encoding has them. */
  Case(std::size_t first, std::size_t k, std::size_t first_wanted, std::size_t r, std::size_t length, Against against, Random& random) {
    for (std::size_t i = 0; i < k; i++) source_numbers.push_back(static_cast<std::uint8_t>(first + i));
    for (std::size_t j = 0; j < r; j++) wanted_numbers.push_back(static_cast<std::uint8_t>(first_wanted + j));
    make_blocks(k, r, length, against, random);
  }

  void make_blocks(std::size_t k, std::size_t r, std::size_t length, Against against, Random& random) {
    for (std::size_t i = 0; i < k; i++) {
      sources.emplace_back(length, against);
      random.fill(sources.back().data(), length);
    }
    for (std::size_t j = 0; j < r; j++) outputs.emplace_back(length, against);
  }

  Regeneration work(isa::Level level) const {
    Regeneration work;
    work.plan = std::make_shared<const Plan>(source_numbers, wanted_numbers, level);
    for (const GuardedBlock& source : sources) work.sources.push_back(source.data());
    for (const GuardedBlock& output : outputs) work.outputs.push_back(output.data());
    work.length = outputs.empty() ? 0 : outputs[0].length();
    return work;
  }

  std::vector<std::vector<std::uint8_t>> run(isa::Level level) const {
    for (const GuardedBlock& output : outputs) std::memset(output.data(), 0xa5, output.length());
    const Regeneration regeneration = work(level);
    codec::regenerate_columns(regeneration, 0, regeneration.length, nullptr);
    std::vector<std::vector<std::uint8_t>> results;
    for (const GuardedBlock& output : outputs) results.emplace_back(output.data(), output.data() + output.length());
    return results;
  }
};

inline void levels_agree(const Case& test, isa::Level reference) {
  const auto expected = test.run(reference);
  for (const isa::Level level : isa::supported()) {
    if (test.run(level) != expected) {
      std::fprintf(stderr, "level %s differs: k %zu r %zu length %zu\n", isa::name_of(level).data(), test.sources.size(), test.outputs.size(),
                   test.outputs[0].length());
      std::exit(1);
    }
  }
}

/** Blocks at addresses of their own, in one guarded area: hardly two begin alike in a line or in a page. */
inline void scattered_blocks_agree(const Case& test, std::size_t length, Random& random, isa::Level reference = isa::Level::scalar) {
  const auto expected = test.run(reference);
  for (const isa::Level level : isa::supported()) {
    Regeneration work = test.work(level);
    GuardedBlock area((work.sources.size() + work.outputs.size()) * (length + 200), Against::page_after);
    std::uint8_t* next = area.data();
    const auto place = [&] {
      std::uint8_t* block = next + random.below(200);
      next = block + length;
      return block;
    };
    for (auto& source : work.sources) {
      std::uint8_t* block = place();
      std::memcpy(block, source, length);
      source = block;
    }
    for (auto& output : work.outputs) output = place();
    codec::regenerate_columns(work, 0, length, nullptr);
    for (std::size_t j = 0; j < expected.size(); j++) CHECK(std::memcmp(work.outputs[j], expected[j].data(), length) == 0);
  }
}

}  // namespace meshward::codec::test
