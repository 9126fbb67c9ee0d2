#pragma once
// What the native test programs share: a check that says where it failed, and blocks between pages that may not be touched.

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "isa/isa.h"

#define CHECK(condition)                                                          \
  do {                                                                            \
    if (!(condition)) {                                                           \
      std::fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition); \
      std::exit(1);                                                               \
    }                                                                             \
  } while (false)

namespace meshward::check {

/** Memory whose neighbours on both sides end the program when they are read or written. */
class GuardedBlock {
 public:
  enum class Against { page_before, page_after };

  GuardedBlock(std::size_t length, Against against) : length_(length) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const std::size_t inner = (length + page - 1) / page * page + (length == 0 ? page : 0);
    bytes_ = inner + 2 * page;
    memory_ = static_cast<std::uint8_t*>(mmap(nullptr, bytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    CHECK(memory_ != MAP_FAILED);
    CHECK(mprotect(memory_ + page, inner, PROT_READ | PROT_WRITE) == 0);
    data_ = memory_ + page + (against == Against::page_after ? inner - length : 0);
  }
  GuardedBlock(GuardedBlock&& other) noexcept : memory_(other.memory_), bytes_(other.bytes_), data_(other.data_), length_(other.length_) {
    other.memory_ = nullptr;
  }
  GuardedBlock(const GuardedBlock&) = delete;
  GuardedBlock& operator=(const GuardedBlock&) = delete;
  ~GuardedBlock() {
    if (memory_ != nullptr) munmap(memory_, bytes_);
  }

  std::uint8_t* data() const { return data_; }
  std::size_t length() const { return length_; }

 private:
  std::uint8_t* memory_;
  std::size_t bytes_;
  std::uint8_t* data_;
  std::size_t length_;
};

/** A small generator, the same on every machine. */
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed * 2 + 1) {}
  std::uint64_t next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_;
  }
  std::size_t below(std::size_t end) { return static_cast<std::size_t>(next() >> 8) % end; }
  void fill(std::uint8_t* to, std::size_t length) {
    for (std::size_t i = 0; i < length; i++) to[i] = static_cast<std::uint8_t>(next() >> 32);
  }

 private:
  std::uint64_t state_;
};

}  // namespace meshward::check
