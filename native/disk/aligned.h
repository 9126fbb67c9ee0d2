#pragma once
// Memory for what is written past the page cache.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>

namespace meshward::disk {

/** Such writes begin, are as long and lie in memory at a multiple of this. */
inline constexpr std::size_t block_bytes = 4096;

struct FreeAligned {
  void operator()(std::uint8_t* data) const { std::free(data); }
};
using AlignedMemory = std::unique_ptr<std::uint8_t, FreeAligned>;

/** A multiple of `block_bytes`. Null where there is none. */
inline AlignedMemory aligned_memory(std::size_t bytes) { return AlignedMemory(static_cast<std::uint8_t*>(std::aligned_alloc(block_bytes, bytes))); }

}  // namespace meshward::disk
