// The GFNI level: chooses by shape, size and addresses how the columns are gone through. Every limit here was measured.

#include "codec/columns_gfni.h"

namespace meshward::codec {
namespace {

// In place: the sources' tile stays in the second-level cache while the groups of outputs pass over it.
constexpr size_t tile_columns = 4096;
// Above this the blocks come from memory, whatever the processor.
constexpr size_t cached_bytes = 12u << 20;
// What a core's own cache holds.
constexpr size_t near_cached_bytes = 1u << 20;
// Above this no cache still has the outputs when somebody reads them: storing past the caches saves reading each line first.
constexpr size_t streamed_bytes = 32u << 20;
// What the processor's own prefetchers follow, in runs long enough that finding each stream again costs little.
constexpr size_t streams_at_once = 10;
constexpr size_t stream_columns = 128 * 1024;

template <bool accumulate>
void run_group(const KernelCall& call, size_t first, size_t outputs) {
  switch (outputs) {
    case 1: return output_group<1, accumulate>(call, first);
    case 2: return output_group<2, accumulate>(call, first);
    case 3: return output_group<3, accumulate>(call, first);
    case 4: return output_group<4, accumulate>(call, first);
    case 5: return output_group<5, false>(call, first);
    case 6: return output_group<6, false>(call, first);
    case 7: return output_group<7, false>(call, first);
    case 8: return output_group<8, false>(call, first);
    case 9: return output_group<9, false>(call, first);
    default: return output_group<10, false>(call, first);
  }
}

template <typename Run>
void run_by_tiles(const KernelCall& call, Run run) {
  KernelCall tile = call;
  for (; tile.begin < call.end; tile.begin = tile.end) {
    tile.end = call.end - tile.begin < tile_columns ? call.end : tile.begin + tile_columns;
    run(tile);
  }
}

void run_in_place(const KernelCall& call) {
  run_by_tiles(call, [](const KernelCall& tile) {
    for_groups(tile.output_count, most_outputs, [&](size_t first, size_t outputs) { run_group<false>(tile, first, outputs); });
  });
}

/** At most four outputs from memory: a few sources at a time, the outputs accumulated in cache. */
void run_by_streams(const KernelCall& call) {
  KernelCall part = call;
  for (; part.begin < call.end; part.begin = part.end) {
    part.end = call.end - part.begin < stream_columns ? call.end : part.begin + stream_columns;
    for_groups(call.source_count, streams_at_once, [&](size_t i, size_t sources) {
      part.sources = call.sources + i;
      part.source_count = sources;
      part.tables = static_cast<const uint64_t*>(call.tables) + i * call.output_count;
      if (i == 0) {
        run_group<false>(part, 0, call.output_count);
      } else {
        run_group<true>(part, 0, call.output_count);
      }
    });
  }
}

/** Whether many blocks compete for the same few lines of an eight-way cache: counts them by where they begin in a page. */
class LineUse {
 public:
  void add(const uint8_t* block) {
    if (++in_set_[reinterpret_cast<uintptr_t>(block) >> 6 & 63] > 6) alias_ = true;
  }
  bool alias() const { return alias_; }

 private:
  uint8_t in_set_[64] = {0};
  bool alias_ = false;
};

bool sources_alias(const KernelCall& call) {
  LineUse use;
  for (size_t i = 0; i < call.source_count && !use.alias(); i++) use.add(call.sources[i] + call.begin);
  return use.alias();
}

bool all_alias(const KernelCall& call) {
  LineUse use;
  for (size_t i = 0; i < call.source_count; i++) use.add(call.sources[i] + call.begin);
  for (size_t j = 0; j < call.output_count && !use.alias(); j++) use.add(call.outputs[j] + call.begin);
  return use.alias();
}

/** Whether every output's lines begin at `begin`. */
bool outputs_share_lines(const KernelCall& call) {
  for (size_t j = 0; j < call.output_count; j++) {
    if ((reinterpret_cast<uintptr_t>(call.outputs[j] + call.begin) & 63) != 0) return false;
  }
  return true;
}

/** False where another kernel is faster, or the only one. */
bool choose_toeplitz(const KernelCall& call, size_t bytes, ToeplitzWay& way) {
  if (call.toeplitz == nullptr) return false;
  if (bytes > cached_bytes) {
    way = ToeplitzWay::streams;
    return fits(*call.toeplitz, way) && bytes > streamed_bytes && outputs_share_lines(call);
  }
  const bool is_near = bytes <= near_cached_bytes;
  const bool alias = sources_alias(call);
  way = (is_near && !alias) || !fits(*call.toeplitz, ToeplitzWay::pairs) ? ToeplitzWay::steps : ToeplitzWay::pairs;
  return way == ToeplitzWay::pairs || is_near || !alias;
}

void run_gfni(const KernelCall& call) {
  if (call.output_count == 0) return;
  KernelCall part = call;
  // A store across two lines costs more than a load: begin where the first output's lines begin.
  const size_t peel = (64 - (reinterpret_cast<uintptr_t>(call.outputs[0] + call.begin) & 63)) & 63;
  if (peel > 0 && call.end - call.begin > 2 * width) {
    part.end = call.begin + peel;
    run_in_place(part);
    part.begin = part.end;
  }
  // What takes only whole steps is given those; the columns after them are left in `part`.
  const auto run_whole = [&](size_t step, auto run) {
    part.end = part.begin + (call.end - part.begin) / step * step;
    run();
    part.begin = part.end;
    part.end = call.end;
  };
  part.end = call.end;
  const size_t bytes = (call.source_count + call.output_count) * call.length;
  const bool from_memory = bytes > cached_bytes;
  ToeplitzWay way;
  if (choose_toeplitz(part, bytes, way)) {
    run_whole(2 * width, [&] { run_toeplitz_gfni(part, way); });
  } else if (call.source_count <= 4) {
    const bool alias = all_alias(part);
    run_whole(width, [&] {
      if (is_one_narrow_group(part)) {
        run_narrow_gfni(part, alias);
      } else {
        run_by_tiles(part, [=](const KernelCall& tile) { run_narrow_gfni(tile, alias); });
      }
    });
  } else if (from_memory && call.output_count <= 4 && call.source_count > streams_at_once) {
    run_by_streams(part);
    return;
  } else if (from_memory ? call.output_count > 4 : call.output_count > 12 && sources_alias(part)) {
    run_whole(2 * width, [&] { run_packed_gfni(part, from_memory); });
  }
  run_in_place(part);
}

}  // namespace

const Kernel gfni_kernel{8, fill_affine_table, run_gfni, 256 * 1024, 150'000, Kernel::Runs::toeplitz};

}  // namespace meshward::codec
