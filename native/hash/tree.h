#pragma once

#include <cstddef>
#include <cstdint>

namespace meshward::hash {

/** Tahoe's hash of an inner node: tagged with both children as netstrings. 32 bytes each. */
void pair_hash(const std::uint8_t* left, const std::uint8_t* right, std::uint8_t* digest);

/** The smallest power of two that holds `leaf_count` leaves (at least 1). */
std::size_t padded_leaf_count(std::size_t leaf_count);

/**
 * The whole Merkle tree over `leaf_count` digests, breadth first (root first), (2 × padded − 1) × 32 bytes. Missing leaves
 * are tagged("Merkle tree empty leaf", decimal index).
 */
void hash_tree(const std::uint8_t* leaves, std::size_t leaf_count, std::uint8_t* nodes);

}  // namespace meshward::hash
