// As kernel_ssse3.cc with the table lookups of 64-bit ARM (tbl), 16 columns at a time.

#include <arm_neon.h>
#include <string.h>

#include "codec/kernel.h"

namespace meshward::codec {
namespace {

constexpr size_t width = 16;

template <int outputs>
void column_group(const KernelCall& call, size_t first, const uint8_t* const* sources, size_t at, uint8_t* const* results,
                  size_t result_at) {
  const uint8x16_t low_nibble = vdupq_n_u8(0x0f);
  uint8x16_t sums[outputs];
  for (int j = 0; j < outputs; j++) sums[j] = vdupq_n_u8(0);
  const auto* table = static_cast<const uint8_t*>(call.tables) + first * 32;
  for (size_t i = 0; i < call.source_count; i++, table += call.output_count * 32) {
    const uint8x16_t value = vld1q_u8(sources[i] + at);
    const uint8x16_t low = vandq_u8(value, low_nibble);
    const uint8x16_t high = vshrq_n_u8(value, 4);
    for (int j = 0; j < outputs; j++) {
      const uint8x16_t product = veorq_u8(vqtbl1q_u8(vld1q_u8(table + j * 32), low), vqtbl1q_u8(vld1q_u8(table + j * 32 + 16), high));
      sums[j] = veorq_u8(sums[j], product);
    }
  }
  for (int j = 0; j < outputs; j++) vst1q_u8(results[j] + result_at, sums[j]);
}

template <int outputs>
void output_group(const KernelCall& call, size_t first) {
  uint8_t* const* results = call.outputs + first;
  size_t at = call.begin;
  for (; at + width <= call.end; at += width) column_group<outputs>(call, first, call.sources, at, results, at);
  const size_t rest = call.end - at;
  if (rest == 0) return;
  // The last columns go through a buffer, so that nothing beyond a block is read or written.
  uint8_t copies[256][width];
  const uint8_t* copied[256];
  uint8_t staged[outputs][width];
  uint8_t* staged_results[outputs];
  for (size_t i = 0; i < call.source_count; i++) {
    memset(copies[i], 0, width);
    memcpy(copies[i], call.sources[i] + at, rest);
    copied[i] = copies[i];
  }
  for (int j = 0; j < outputs; j++) staged_results[j] = staged[j];
  column_group<outputs>(call, first, copied, 0, staged_results, 0);
  for (int j = 0; j < outputs; j++) memcpy(results[j] + at, staged[j], rest);
}

void run_neon(const KernelCall& call) {
  size_t first = 0;
  for (; first + 6 <= call.output_count; first += 6) output_group<6>(call, first);
  switch (call.output_count - first) {
    case 5: output_group<5>(call, first); break;
    case 4: output_group<4>(call, first); break;
    case 3: output_group<3>(call, first); break;
    case 2: output_group<2>(call, first); break;
    case 1: output_group<1>(call, first); break;
    default: break;
  }
}

}  // namespace

const Kernel neon_kernel{32, fill_nibble_table, run_neon, 4096, 10'000};

}  // namespace meshward::codec
