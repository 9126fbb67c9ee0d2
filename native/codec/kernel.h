#pragma once
// What a kernel is given. Kernel files are compiled for newer processors than the rest, so they include nothing that
// defines shared inline code (no standard C++ headers): the linker might keep their copy for everybody.

#include <stddef.h>
#include <stdint.h>

namespace meshward::codec {

/**
 * A multiplication whose matrix is, but for a few columns, diagonal · Toeplitz · diagonal (toeplitz.cc derives it): the columns,
 * scaled, are taken in blocks of eight; blocks, and sums of blocks, are multiplied by 8 × 8 Toeplitz matrices; their sums, some
 * kept in slots and added to several others, are blocks of eight rows, which are scaled again.
 */
constexpr size_t toeplitz_block_rows = 8;
constexpr size_t toeplitz_matrices_a_term = 27;
/** Matrices are split three times at most. */
constexpr size_t most_toeplitz_addends = 3;
/** Rows of the whole matrix that are not in the programme. */
constexpr size_t most_other_rows = 4;
/** Blocks, sums and slots together: what a kernel keeps, 1 KiB each, for 128 columns of the shares. */
constexpr size_t most_toeplitz_blocks = 64;

struct ToeplitzSum {
  uint16_t a;  // sum number s is block[column_blocks + s] = block[a] + block[b]
  uint16_t b;
};

struct ToeplitzTerm {
  uint16_t block;
  bool is_half;  // the last four of the block's columns are zero
};

/** result = the sum of its terms, each a matrix times a block, and of slots. */
struct ToeplitzStep {
  uint16_t result;  // a slot, or a block of rows where it is final
  bool is_final;
  uint8_t addend_count;
  uint16_t addends[most_toeplitz_addends];  // slots
  uint16_t term_count;                      // at least one; the terms of all steps lie one after another
};

struct ToeplitzProgram {
  size_t first_column;  // sources [first_column, first_column + columns) are the columns
  size_t columns;
  size_t column_blocks;
  size_t rows;  // outputs [0, rows) come from this programme, the others (most_other_rows) from the call's tables
  size_t slots;
  /** Source 0 is added to every other source before, and to every output after: it then needs no product. */
  bool adds_first_source;
  const uint64_t* column_scales;  // these and all below: matrices for gf2p8affineqb
  const uint64_t* row_scales;
  size_t direct_columns;           // sources behind the columns
  const uint64_t* direct_weights;  // row by row, a weight for each of them
  const ToeplitzSum* sums;
  size_t sum_count;
  const ToeplitzStep* steps;
  size_t step_count;
  const ToeplitzTerm* terms;
  const uint64_t* matrices;  // of each term: the 27 values that an 8 × 8 matrix split in two three times comes down to
};

/**
 * The same for kernels whose products are look-ups: blocks of four columns and of four rows, of which the last may have fewer; the
 * kernel fills up the columns with zeros. A term's 4 × 4 matrix is given as the nine tables that it comes down to, split in two twice.
 */
constexpr size_t nibble_block_rows = 4;
constexpr size_t nibble_tables_a_term = 9;
/** What a kernel keeps: blocks with their sums, and slots. */
constexpr size_t most_nibble_blocks = 112;
constexpr size_t most_nibble_slots = 8;

struct NibbleToeplitzProgram {
  size_t first_column;  // 1: source 0 is added to every other source before, and to every output after
  size_t columns;
  size_t column_blocks;
  size_t slots;
  const uint8_t* column_scales;  // these and the others: entries of `fill_nibble_table`, aligned to 32 bytes
  const uint8_t* row_scales;
  const ToeplitzSum* sums;
  size_t sum_count;
  const ToeplitzStep* steps;
  size_t step_count;
  const uint16_t* term_blocks;
  const uint8_t* tables;  // of each term: for what y0 y1 and y2 y3 share, for y0 y1, for y2 y3
};

/**
 * outputs[j][c] = sum over i of weight(i, j) * sources[i][c], for begin <= c < end. The weights of each output add up to 1,
 * since they interpolate constants too.
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
  const void* tables;  // what the kernel's `fill_table` made, as `outputs_a_group` says
  const ToeplitzProgram* toeplitz;  // null where the matrix has no such structure, or the kernel does not run it
  const NibbleToeplitzProgram* nibble_toeplitz;
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
  /** Which programmes it can run. */
  enum class Runs { tables, toeplitz, nibble_toeplitz } runs = Runs::tables;
  /**
   * Outputs are taken in groups of `group_size`: the entries of one group's outputs, source by source, lie before the next
   * group's. By default all outputs are one group: entry (i, j) at index i * output_count + j.
   */
  size_t outputs_a_group = 256;
};

/** Of the next group: nearly equal groups, since a small last one would load as much for less work. */
static constexpr size_t group_size(size_t outputs_left, size_t most) {
  const size_t groups = (outputs_left + most - 1) / most;
  return (outputs_left + groups - 1) / groups;
}

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
