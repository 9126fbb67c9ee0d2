#pragma once
// What a kernel is given. Kernel files are compiled for newer processors than the rest, so they include nothing that
// defines shared inline code (no standard C++ headers): the linker might keep their copy for everybody.

#include <stddef.h>
#include <stdint.h>

namespace meshward::codec {

/**
 * outputs[j][c] = sum over i of weight(i, j) * sources[i][c], for begin <= c < end.
 * Buffers have any alignment; outputs overlap neither sources nor each other; nothing outside [begin, end) is touched.
 */
struct KernelCall {
  const uint8_t* const* sources;
  size_t source_count;
  uint8_t* const* outputs;
  size_t output_count;
  size_t begin;
  size_t end;
  size_t length;       // of the whole blocks: says what comes from memory and what from a cache
  const void* tables;  // what the kernel's `fill_table` made: entry (i, j) at index i * output_count + j
};

struct Kernel {
  size_t table_entry_bytes;
  /** Writes the table entry for multiplying by `weight`. */
  void (*fill_table)(uint8_t weight, void* entry);
  void (*run)(const KernelCall& call);
  /** How many columns to give it at once: what of the sources stays in the caches, where it does not see to that itself. */
  size_t columns_a_call;
  /** About how many byte products it makes in a microsecond: decides what is worth a thread. */
  size_t products_per_microsecond;
};

extern const Kernel scalar_kernel;
#if defined(__x86_64__)
extern const Kernel ssse3_kernel;
extern const Kernel avx2_kernel;
extern const Kernel avx512_kernel;
extern const Kernel gfni_kernel;
#elif defined(__aarch64__)
extern const Kernel neon_kernel;
#endif

/** 256 bytes: weight * n for n = 0..255. */
void fill_product_table(uint8_t weight, void* entry);
/** 32 bytes: weight * n for n = 0..15, then weight * (n << 4). */
void fill_nibble_table(uint8_t weight, void* entry);
/** 8 bytes: the bit matrix of multiplying by the weight, as gf2p8affineqb wants it. */
void fill_affine_table(uint8_t weight, void* entry);

}  // namespace meshward::codec
