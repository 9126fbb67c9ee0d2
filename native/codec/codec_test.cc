// Every level against the scalar one, with blocks against guard pages, at the sizes that choose each way through the kernels;
// the pool and the plan cache from several threads. Run by check.js, also under sanitizers, valgrind and an emulator.

#include <thread>

#include "codec/batch.h"
#include "codec/field.h"
#include "codec/pool.h"
#include "codec/test_case.h"
#include "codec/weights.h"
#include "hash/tagged.h"

using namespace meshward;
using check::GuardedBlock;
using check::Random;
using codec::Plan;
using codec::Regeneration;
using codec::test::Against;
using codec::test::Case;
using codec::test::levels_agree;
using codec::test::scattered_blocks_agree;

namespace {

void every_short_length_against_both_guards() {
  Random random(1);
  for (std::size_t length = 1; length <= 270; length += length < 140 ? 1 : 13) {
    for (const Against against : {Against::page_before, Against::page_after}) {
      levels_agree(Case(1 + random.below(30), 1 + random.below(20), length, against, random), isa::Level::scalar);
    }
  }
}

void every_count_of_sources_and_outputs() {
  Random random(2);
  for (std::size_t k = 1; k <= 11; k++) {
    for (std::size_t r = 1; r <= 24; r++) levels_agree(Case(k, r, 100 + random.below(300), Against::page_after, random), isa::Level::scalar);
  }
  for (const auto& [k, r] : {std::pair<std::size_t, std::size_t>{25, 50}, {128, 128}, {200, 56}, {255, 1}, {1, 255}}) {
    levels_agree(Case(k, r, 777, Against::page_before, random), isa::Level::scalar);
  }
}

/** Around the tiles, with blocks that alias (all against their guard pages) and are packed. */
void tile_borders() {
  Random random(3);
  for (const std::size_t length : {2047u, 2048u, 4095u, 4096u, 4097u, 8191u, 12345u, 41944u}) {
    for (const Against against : {Against::page_before, Against::page_after}) {
      for (const std::size_t r : {1u, 3u, 14u}) levels_agree(Case(17, r, length, against, random), isa::Level::scalar);
    }
  }
}

/** Every beginning in a line, of the outputs and of the sources, and every end: what is peeled before the whole steps and left after them. */
void every_alignment() {
  Random random(13);
  struct Shape {
    std::size_t k;
    std::size_t r;
    bool is_encoding;
  };
  for (const auto& [k, r, is_encoding] : {Shape{25, 9, false}, {25, 2, false}, {6, 1, false}, {3, 7, false}, {25, 75, true}}) {
    for (std::size_t shift = 0; shift < 64; shift++) {
      const std::size_t length = 300 + random.below(64);
      const Case test = is_encoding ? Case(0, k, k, r, length, Against::page_after, random) : Case(k, r, length, Against::page_after, random);
      const auto expected = test.run(isa::Level::scalar);
      const std::size_t stride = (length + 127) / 64 * 64;
      for (const isa::Level level : isa::supported()) {
        Regeneration work = test.work(level);
        std::vector<std::uint8_t> area((k + r) * stride + 128, 0x5a);
        std::uint8_t* next = area.data() + (64 - reinterpret_cast<std::uintptr_t>(area.data()) % 64) % 64;
        for (auto& source : work.sources) {
          source = static_cast<const std::uint8_t*>(std::memcpy(next + random.below(64), source, length));
          next += stride;
        }
        for (auto& output : work.outputs) {
          output = next + shift;
          next += stride;
        }
        codec::regenerate_columns(work, 0, length, nullptr);
        for (std::size_t j = 0; j < expected.size(); j++) {
          CHECK(std::memcmp(work.outputs[j], expected[j].data(), length) == 0);
          CHECK(work.outputs[j][length] == 0x5a);
          if (shift > 0) CHECK(work.outputs[j][-1] == 0x5a);
        }
      }
    }
  }
}

/** Beyond what counts as cached: by streams, packed with prefetching, and in place. The scalar level would take too long. */
void blocks_from_memory() {
  Random random(4);
  const isa::Level reference = isa::supported()[isa::supported().size() > 1 ? 1 : 0];
  for (const auto& [k, r] : {std::pair<std::size_t, std::size_t>{25, 1}, {25, 4}, {17, 3}, {25, 9}, {20, 15}, {3, 7}, {4, 5}}) {
    const std::size_t length = (13u << 20) / (k + r) + 77;
    levels_agree(Case(k, r, length, random.below(2) ? Against::page_before : Against::page_after, random), reference);
  }
}

/** Few sources: aliasing or not, in one group of outputs or several. */
void few_sources_in_every_way() {
  Random random(12);
  for (std::size_t k = 1; k <= 4; k++) {
    for (const std::size_t r : {1u, 3u, 6u, 7u, 8u, 9u, 17u}) {
      const std::size_t length = 1 + random.below(10'000);
      for (const Against against : {Against::page_before, Against::page_after}) {
        levels_agree(Case(0, k, k, r, length, against, random), isa::Level::scalar);
      }
      scattered_blocks_agree(Case(0, k, k, r, length, Against::page_after, random), length, random);
    }
  }
}

void columns_can_be_cut_anywhere() {
  Random random(5);
  for (int round = 0; round < 50; round++) {
    const Case test = round < 40 ? Case(1 + random.below(30), 1 + random.below(30), 1 + random.below(9000), Against::page_after, random)
                                 : Case(0, 25, 25, 75, 1 + random.below(3000), Against::page_after, random);
    const auto expected = test.run(isa::Level::scalar);
    for (const isa::Level level : isa::supported()) {
      const Regeneration work = test.work(level);
      for (std::size_t at = 0; at < work.length;) {
        const std::size_t end = std::min(work.length, at + 1 + random.below(work.length));
        codec::regenerate_columns(work, at, end, nullptr);
        at = end;
      }
      for (std::size_t j = 0; j < expected.size(); j++) CHECK(std::memcmp(work.outputs[j], expected[j].data(), work.length) == 0);
    }
  }
}

void hashing_on_the_way_equals_hashing_after() {
  Random random(6);
  const std::string prefix = hash::netstring("a tag");
  for (const std::size_t length : {1u, 50u, 5243u, 8192u, 41944u}) {
    const Case test(9, 11, length, Against::page_after, random);
    for (const isa::Level level : isa::supported()) {
      isa::set(level);
      const Regeneration work = test.work(level);
      std::vector<std::uint8_t> digests(20 * hash::digest_bytes);
      codec::regenerate_and_hash(work, prefix, digests.data(), nullptr);
      std::vector<hash::Message> blocks;
      for (const auto* source : work.sources) blocks.push_back({source, length});
      for (const auto* output : work.outputs) blocks.push_back({output, length});
      isa::set(isa::Level::scalar);
      std::vector<std::uint8_t> expected(digests.size());
      hash::double_hash(prefix, blocks, expected.data());
      CHECK(digests == expected);
    }
  }
  isa::set(isa::supported().back());
}

void overlaps_are_found() {
  std::vector<std::uint8_t> memory(100);
  const auto overlaps = [&](std::size_t source, std::size_t first, std::size_t second, std::size_t length) {
    return codec::outputs_overlap({{nullptr, {&memory[source]}, {&memory[first], &memory[second]}, length}});
  };
  CHECK(!overlaps(0, 10, 20, 10));
  CHECK(overlaps(0, 10, 19, 10));
  CHECK(overlaps(1, 10, 20, 10));
  CHECK(overlaps(29, 10, 20, 10));
  CHECK(overlaps(50, 20, 20, 1));
  CHECK(!overlaps(5, 5, 5, 0));
}

/** Weights by their definition: the polynomial through the sources' points, evaluated at the wanted one. */
void weights_give_the_polynomial() {
  Random random(7);
  for (std::size_t k = 1; k <= 40; k++) {
    std::vector<std::uint8_t> coefficients(k);
    random.fill(coefficients.data(), k);
    const auto value_at = [&](std::uint8_t number) {
      std::uint8_t value = 0;
      for (std::size_t c = k; c-- > 0;) value = static_cast<std::uint8_t>(codec::multiply(value, codec::point_of(number)) ^ coefficients[c]);
      return value;
    };
    std::vector<std::uint8_t> sources;
    for (std::size_t i = 0; i < k; i++) sources.push_back(static_cast<std::uint8_t>(255 - i * 3));
    std::vector<std::uint8_t> wanted(256);
    std::iota(wanted.begin(), wanted.end(), 0);
    const auto weights = codec::lagrange_weights(sources, wanted);
    for (std::size_t w = 0; w < 256; w++) {
      std::uint8_t sum = 0;
      for (std::size_t i = 0; i < k; i++) sum ^= codec::multiply(weights[w * k + i], value_at(sources[i]));
      CHECK(sum == value_at(wanted[w]));
    }
  }
}

void plan_cache_stays_within_its_bytes() {
  codec::PlanCache cache(100'000);
  const auto use = [&](std::uint64_t seed) {
    Random random(seed);
    for (int round = 0; round < 300; round++) {
      const std::uint8_t sources[2] = {static_cast<std::uint8_t>(random.below(60)), 255};
      const std::uint8_t wanted[2] = {100, static_cast<std::uint8_t>(101 + random.below(40))};
      CHECK(cache.get(sources, wanted, isa::current())->wanted_count() == 2);
      CHECK(cache.size_bytes() <= 100'000);
    }
  };
  std::vector<std::thread> threads;
  for (std::uint64_t seed = 0; seed < 3; seed++) threads.emplace_back(use, seed);
  for (std::thread& thread : threads) thread.join();
}

void pool_runs_each_slice_once_and_settles_each_job_once() {
  std::atomic<std::size_t> slices_run{0};
  std::atomic<std::size_t> settled{0};
  std::atomic<std::size_t> refused{0};
  std::atomic<std::size_t> cancelled_jobs{0};
  {
    codec::Pool pool(3, 20);
    const auto submit = [&](std::uint64_t seed) {
      Random random(seed);
      for (int round = 0; round < 200; round++) {
        auto job = std::make_shared<codec::PoolJob>();
        job->slice_count = random.below(6);
        auto runs = std::make_shared<std::vector<std::atomic<int>>>(6);
        job->run_slice = [&slices_run, runs](std::size_t slice, const std::atomic<bool>&) {
          CHECK((*runs)[slice]++ == 0);
          slices_run++;
        };
        job->finished = [&] { settled++; };
        if (!pool.submit(job)) {
          refused++;
        } else if (random.below(4) == 0) {
          job->cancelled = true;
          cancelled_jobs++;
        }
      }
    };
    std::vector<std::thread> threads;
    for (std::uint64_t seed = 0; seed < 3; seed++) threads.emplace_back(submit, seed);
    for (std::thread& thread : threads) thread.join();
  }
  CHECK(settled + refused == 600);
  CHECK(cancelled_jobs > 0);
}

void batches_on_a_pool_equal_batches_at_once() {
  Random random(8);
  codec::Pool pool(2, 10);
  for (const bool hashes : {false, true}) {
    const Case test(10, 12, 300'001, Against::page_after, random);
    std::vector<std::uint8_t> digests(22 * hash::digest_bytes);
    codec::Batch batch{{test.work(isa::current())}, hashes ? digests.data() : nullptr, "prefix"};
    codec::run_batch(batch);
    const std::vector<std::uint8_t> expected_digests = digests;
    const auto expected = test.run(isa::current());
    for (const GuardedBlock& output : test.outputs) std::memset(output.data(), 0, output.length());
    const auto slices = codec::slices_of(batch, 2);
    auto job = std::make_shared<codec::PoolJob>();
    std::atomic<bool> done{false};
    job->slice_count = slices.size();
    job->run_slice = [&](std::size_t slice, const std::atomic<bool>& cancelled) { codec::run_slice(batch, slices[slice], &cancelled); };
    job->finished = [&] {
      done = true;
      done.notify_all();
    };
    CHECK(pool.submit(job));
    done.wait(false);
    for (std::size_t j = 0; j < expected.size(); j++) CHECK(std::memcmp(test.outputs[j].data(), expected[j].data(), expected[j].size()) == 0);
    CHECK(digests == expected_digests);
  }
}

}  // namespace

int main(int count, char**) {
  const bool quick = count > 1;  // under an emulator or a tool that slows everything down
  weights_give_the_polynomial();
  every_short_length_against_both_guards();
  every_count_of_sources_and_outputs();
  few_sources_in_every_way();
  every_alignment();
  if (!quick) {
    tile_borders();
    blocks_from_memory();
  }
  columns_can_be_cut_anywhere();
  hashing_on_the_way_equals_hashing_after();
  overlaps_are_found();
  plan_cache_stays_within_its_bytes();
  pool_runs_each_slice_once_and_settles_each_job_once();
  batches_on_a_pool_equal_batches_at_once();
  std::puts("codec: every check holds");
}
