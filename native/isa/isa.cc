#include "isa/isa.h"

#include <algorithm>
#include <array>
#include <atomic>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace meshward::isa {
namespace {

struct Processor {
  std::vector<Level> levels{Level::scalar};
  bool sha = false;
};

#if defined(__x86_64__)
std::uint64_t enabled_register_state() {
  std::uint32_t low = 0;
  std::uint32_t high = 0;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (static_cast<std::uint64_t>(high) << 32) | low;
}

// Intel SDM volume 2, CPUID leaves 1 and 7; the operating system must also save the wide registers (XCR0).
Processor detect() {
  Processor processor;
  std::uint32_t a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return processor;
  const bool ssse3 = c & (1u << 9);
  const bool sse41 = c & (1u << 19);
  const bool has_xsave = c & (1u << 27);
  const std::uint64_t state = has_xsave ? enabled_register_state() : 0;
  const bool saves_ymm = (state & 0x06) == 0x06;
  const bool saves_zmm = (state & 0xe6) == 0xe6;
  if (!ssse3) return processor;
  processor.levels.push_back(Level::ssse3);
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return processor;
  processor.sha = sse41 && (b & (1u << 29));
  if (!saves_ymm || !(b & (1u << 5))) return processor;
  processor.levels.push_back(Level::avx2);
  const std::uint32_t avx512 = (1u << 16) | (1u << 17) | (1u << 30) | (1u << 31);  // F, DQ, BW, VL
  if (!saves_zmm || (b & avx512) != avx512) return processor;
  processor.levels.push_back(Level::avx512);
  if (c & (1u << 8)) processor.levels.push_back(Level::gfni);
  return processor;
}
#elif defined(__aarch64__)
Processor detect() {
  Processor processor;
  processor.levels.push_back(Level::neon);  // part of every 64-bit ARM
  return processor;
}
#else
Processor detect() { return {}; }
#endif

const Processor& processor() {
  static const Processor detected = detect();
  return detected;
}

constexpr std::array<std::string_view, 6> names{"scalar", "ssse3", "avx2", "avx512", "gfni", "neon"};
std::atomic<int> chosen{-1};
std::atomic<bool> sha_used{true};

}  // namespace

std::string_view name_of(Level level) { return names[static_cast<std::size_t>(level)]; }

std::optional<Level> level_named(std::string_view name) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) return std::nullopt;
  return static_cast<Level>(found - names.begin());
}

const std::vector<Level>& supported() { return processor().levels; }

bool is_supported(Level level) { return std::find(supported().begin(), supported().end(), level) != supported().end(); }

Level current() {
  const int level = chosen.load(std::memory_order_relaxed);
  return level < 0 ? supported().back() : static_cast<Level>(level);
}

void set(Level level) { chosen.store(static_cast<int>(level), std::memory_order_relaxed); }

bool has_sha() { return processor().sha && sha_used.load(std::memory_order_relaxed); }

void use_sha(bool used) { sha_used.store(used, std::memory_order_relaxed); }

}  // namespace meshward::isa
