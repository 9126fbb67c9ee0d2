#pragma once
// Which instruction sets this processor has, and which level the kernels run at.

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace meshward::isa {

/** Ordered: a level includes what the ones before it (of the same architecture) need. */
enum class Level : std::uint8_t { scalar, ssse3, avx2, avx512, gfni, neon };

std::string_view name_of(Level level);
std::optional<Level> level_named(std::string_view name);

/** The levels that this processor and operating system can run, slowest first; always begins with scalar. */
const std::vector<Level>& supported();
bool is_supported(Level level);

/** The level that new work runs at: the best one supported, unless `set` chose another. One for the whole process. */
Level current();
void set(Level level);

/** SHA extensions: beside the levels, since processors have them in every combination. */
bool has_sha();
/** False: as on a processor without the SHA extensions. True: as this one is. */
void use_sha(bool used);

}  // namespace meshward::isa
