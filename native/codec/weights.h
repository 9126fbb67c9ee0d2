#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace meshward::codec {

/**
 * The weights that give each wanted share from the source shares, row by row: share w = sum over i of
 * weights[w * sources + i] * source i. Source numbers are distinct; a wanted number that is also a source gets its unit row.
 */
std::vector<std::uint8_t> lagrange_weights(std::span<const std::uint8_t> source_numbers,
                                           std::span<const std::uint8_t> wanted_numbers);

}  // namespace meshward::codec
