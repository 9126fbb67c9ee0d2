// One output: a few sources at a time, whose tables stay in registers, are gone through in long runs, which the processor fetches
// ahead by itself; the output, a tile of which stays in the first-level cache, grows from run to run.

#include "codec/columns_avx2.h"

namespace meshward::codec {
namespace {

constexpr size_t tile_columns = 8192;
// Of blocks from memory: runs so long that finding each source's stream again costs little.
constexpr size_t memory_tile_columns = 128 * 1024;
constexpr size_t cached_bytes = 12u << 20;
// Three sources' tables, a mask and what is in hand leave no register empty that another source could use.
constexpr size_t sources_at_once = 3;

/** `begin` to `end` of the columns: whole vectors. */
template <int sources, bool accumulate>
__attribute__((noinline)) void run_sources(const uint8_t* const* from, const uint8_t* tables, uint8_t* output, size_t begin, size_t end) {
  const __m256i mask = _mm256_set1_epi8(0x0f);
  const uint8_t* source[sources];
  __m256i by_low[sources], by_high[sources];
#pragma GCC unroll 3
  for (int i = 0; i < sources; i++) {
    source[i] = from[i];
    by_low[i] = kept(table_at(tables + 32 * i));
    by_high[i] = kept(table_at(tables + 32 * i + 16));
  }
  for (size_t at = begin; at < end; at += width) {
    __m256i sum = accumulate ? load(output + at) : _mm256_setzero_si256();
#pragma GCC unroll 3
    for (int i = 0; i < sources; i++) {
      const __m256i value = kept(load(source[i] + at));
      sum = add(sum, look_up(by_low[i], _mm256_and_si256(value, mask)));
      sum = add(sum, look_up(by_high[i], _mm256_and_si256(_mm256_srli_epi16(value, 4), mask)));
    }
    store(output + at, sum);
  }
}

template <bool accumulate>
void run_some(size_t sources, const uint8_t* const* from, const uint8_t* tables, uint8_t* output, size_t begin, size_t end) {
  switch (sources) {
    case 1: return run_sources<1, accumulate>(from, tables, output, begin, end);
    case 2: return run_sources<2, accumulate>(from, tables, output, begin, end);
    default: return run_sources<3, accumulate>(from, tables, output, begin, end);
  }
}

}  // namespace

void run_single_avx2(const KernelCall& call) {
  const auto* tables = static_cast<const uint8_t*>(call.tables);
  const size_t whole = call.end - (call.end - call.begin) % width;
  const size_t tile = call.source_count * call.length > cached_bytes ? memory_tile_columns : tile_columns;
  for (size_t at = call.begin, end; at < whole; at = end) {
    end = whole - at < tile ? whole : at + tile;
    for (size_t first = 0; first < call.source_count;) {
      const size_t sources = group_size(call.source_count - first, sources_at_once);
      const auto run = first == 0 ? run_some<false> : run_some<true>;
      run(sources, call.sources + first, tables + 32 * first, call.outputs[0], at, end);
      first += sources;
    }
  }
  if (whole < call.end) {
    column_group<1, From::blocks, false>({call.sources, call.source_count, nullptr, tables, call.outputs, 0}, call.end - step, nullptr);
  }
}

}  // namespace meshward::codec
