// Encodings, whose matrix has a structure (toeplitz.cc): every level against the scalar one, in every shape and every way
// through the kernel. Run by check.js, also under sanitizers, valgrind and an emulator.

#include <numeric>

#include "codec/nibble_toeplitz.h"
#include "codec/test_case.h"
#include "codec/toeplitz.h"
#include "codec/weights.h"

using namespace meshward;
using check::Random;
using codec::Plan;
using codec::test::Against;
using codec::test::Case;
using codec::test::levels_agree;
using codec::test::scattered_blocks_agree;

namespace {

/** Whether the plan has fewer products by its matrix's structure; so that the cases below do not test something else. */
bool has_structure(const Case& test, isa::Level level) {
  if (!isa::is_supported(level)) return false;
  const Plan plan(test.source_numbers, test.wanted_numbers, level);
  return plan.toeplitz() != nullptr || plan.nibble_toeplitz() != nullptr;
}

void encodings_of_every_shape() {
  Random random(9);
  std::size_t structured_gfni = 0, structured_avx2 = 0;
  const auto agree = [&](const Case& test) {
    structured_gfni += has_structure(test, isa::Level::gfni);
    structured_avx2 += has_structure(test, isa::Level::avx2);
    levels_agree(test, isa::Level::scalar);
  };
  const auto guard = [&] { return random.below(2) ? Against::page_before : Against::page_after; };
  for (std::size_t k = 1; k <= 256; k += 1 + random.below(k < 50 ? 3 : 23)) {
    for (int round = 0; round < 3; round++) {
      const std::size_t r = std::min<std::size_t>(256 - k, 1 + random.below(round == 0 ? 40 : 256));
      if (r > 0) agree(Case(0, k, k, r, 1 + random.below(700), guard(), random));
    }
  }
  for (int round = 0; round < 60; round++) {
    const std::size_t k = 8 + random.below(60);
    const std::size_t r = 8 + random.below(60);
    const std::size_t gap = random.below(40);
    const std::size_t first = random.below(256 - k - r - gap);
    agree(Case(first, k, first + k + gap, r, 128 + random.below(400), guard(), random));
    agree(Case(first + r + gap, k, first, r, 128 + random.below(400), guard(), random));
  }
  // Numbers of blocks that split in every manner, and that do not split.
  for (const std::size_t blocks : {1u, 2u, 3u, 4u, 5u, 6u, 7u, 8u, 9u, 12u}) {
    for (const std::size_t row_blocks : {blocks, blocks + 3, std::max<std::size_t>(blocks, 3) - 2}) {
      agree(Case(0, blocks * 8 + 1, blocks * 8 + 1, row_blocks * 8 + 2, 300, guard(), random));
      agree(Case(0, blocks * 8 + 5, blocks * 8 + 5, row_blocks * 8 + 5, 600, guard(), random));
    }
  }
  if (isa::is_supported(isa::Level::gfni)) CHECK(structured_gfni > 80);
  if (isa::is_supported(isa::Level::avx2)) CHECK(structured_avx2 > 80);
}

void other_numbers_have_no_structure() {
  const auto toeplitz = [](std::vector<std::uint8_t> sources, std::vector<std::uint8_t> wanted) {
    const auto weights = codec::lagrange_weights(sources, wanted);
    const bool has_affine = codec::ToeplitzPlan::make(sources, wanted, weights) != nullptr;
    CHECK(has_affine == (codec::NibbleToeplitzPlan::make(sources, wanted, weights) != nullptr));
    return has_affine;
  };
  std::vector<std::uint8_t> sources(25), wanted(75);
  std::iota(sources.begin(), sources.end(), std::uint8_t{0});
  std::iota(wanted.begin(), wanted.end(), std::uint8_t{25});
  CHECK(toeplitz(sources, wanted));
  std::swap(wanted[3], wanted[4]);
  CHECK(!toeplitz(sources, wanted));
  std::swap(wanted[3], wanted[4]);
  wanted.back() = 200;
  CHECK(!toeplitz(sources, wanted));
  sources[7] = 201;
  wanted.back() = 99;
  CHECK(!toeplitz(sources, wanted));
  std::iota(sources.begin(), sources.end(), std::uint8_t{100});
  std::iota(wanted.begin(), wanted.end(), std::uint8_t{0});
  CHECK(!toeplitz(sources, wanted));  // share 0 among the wanted
  CHECK(!toeplitz({0}, wanted));
}

/** Every way through the Toeplitz kernel: blocks that alias and not, in cache and from memory, of lengths that fill no tile. */
void encodings_in_every_way() {
  Random random(10);
  const isa::Level reference = isa::supported()[isa::supported().size() > 1 ? 1 : 0];
  for (const std::size_t length : {127u, 128u, 129u, 511u, 512u, 640u, 1000u, 4096u, 41944u}) {
    for (const Against against : {Against::page_before, Against::page_after}) levels_agree(Case(0, 25, 25, 75, length, against, random), reference);
  }
  levels_agree(Case(0, 29, 29, 51, 20'000, Against::page_after, random), reference);
  levels_agree(Case(0, 50, 50, 50, 20'001, Against::page_after, random), reference);
  // Beyond the caches: streamed where all blocks begin alike in a line, which scattered ones do not, and where the programme is
  // small enough, which that of the second is not.
  scattered_blocks_agree(Case(0, 25, 25, 75, (34u << 20) / 100 + 77, Against::page_after, random), (34u << 20) / 100 + 77, random, reference);
  levels_agree(Case(0, 50, 50, 50, (34u << 20) / 100 + 77, Against::page_before, random), reference);
  for (const Against against : {Against::page_before, Against::page_after}) {
    levels_agree(Case(0, 25, 25, 75, (34u << 20) / 100 + 77, against, random), reference);
    levels_agree(Case(0, 17, 17, 17, (13u << 20) / 34 + 5, against, random), reference);
  }
}

void encodings_of_scattered_blocks() {
  Random random(11);
  const auto agree = [&](std::size_t first, std::size_t k, std::size_t r, std::size_t length) {
    scattered_blocks_agree(Case(first, k, first + k, r, length, Against::page_after, random), length, random);
  };
  for (const std::size_t length : {300u, 4096u, 9001u}) agree(0, 25, 75, length);
  // Last blocks of every number of columns, and every number of rows below the last block.
  for (std::size_t k = 24; k <= 33; k++) agree(random.below(2), k, 48 + k % 8, 128 + random.below(500));
  for (std::size_t r = 48; r < 56; r++) agree(random.below(2), 29, r, 128 + random.below(500));
  agree(0, 51, 27, 128 + random.below(500));  // two columns behind the last block
  agree(0, 15, 101, 128 + random.below(500));
}

}  // namespace

int main(int count, char**) {
  const bool quick = count > 1;  // under an emulator or a tool that slows everything down
  other_numbers_have_no_structure();
  encodings_of_scattered_blocks();
  if (!quick) {
    encodings_of_every_shape();
    encodings_in_every_way();
  }
  std::puts("encoding: every check holds");
}
