#include "hash/tree.h"

#include <bit>
#include <cstring>
#include <string>
#include <vector>

#include "hash/tagged.h"

namespace meshward::hash {
namespace {

const std::string& inner_node_prefix() {
  static const std::string prefix = netstring("Merkle tree internal node");
  return prefix;
}

// netstring(left) + netstring(right), both of 32 bytes.
constexpr std::size_t pair_bytes = 2 * (digest_bytes + 4);

void write_pair(const std::uint8_t* left, const std::uint8_t* right, std::uint8_t* to) {
  for (const std::uint8_t* child : {left, right}) {
    std::memcpy(to, "32:", 3);
    std::memcpy(to + 3, child, digest_bytes);
    to[3 + digest_bytes] = ',';
    to += digest_bytes + 4;
  }
}

}  // namespace

void pair_hash(const std::uint8_t* left, const std::uint8_t* right, std::uint8_t* digest) {
  std::uint8_t pair[pair_bytes];
  write_pair(left, right, pair);
  const Message message{pair, pair_bytes};
  double_hash(inner_node_prefix(), {&message, 1}, digest);
}

std::size_t padded_leaf_count(std::size_t leaf_count) { return leaf_count == 0 ? 1 : std::bit_ceil(leaf_count); }

void hash_tree(const std::uint8_t* leaves, std::size_t leaf_count, std::uint8_t* nodes) {
  const std::size_t padded = padded_leaf_count(leaf_count);
  std::uint8_t* leaf_level = nodes + (padded - 1) * digest_bytes;
  if (leaf_count > 0) std::memcpy(leaf_level, leaves, leaf_count * digest_bytes);
  const std::string empty_leaf_prefix = netstring("Merkle tree empty leaf");
  for (std::size_t i = leaf_count; i < padded; i++) {
    const std::string index = std::to_string(i);
    const Message message{reinterpret_cast<const std::uint8_t*>(index.data()), index.size()};
    double_hash(empty_leaf_prefix, {&message, 1}, leaf_level + i * digest_bytes);
  }
  std::vector<std::uint8_t> pairs;
  std::vector<Message> messages;
  for (std::size_t level = padded / 2; level >= 1; level /= 2) {
    std::uint8_t* parents = nodes + (level - 1) * digest_bytes;
    const std::uint8_t* children = nodes + (2 * level - 1) * digest_bytes;
    pairs.resize(level * pair_bytes);
    messages.resize(level);
    for (std::size_t i = 0; i < level; i++) {
      write_pair(children + 2 * i * digest_bytes, children + (2 * i + 1) * digest_bytes, pairs.data() + i * pair_bytes);
      messages[i] = {pairs.data() + i * pair_bytes, pair_bytes};
    }
    double_hash(inner_node_prefix(), messages, parents);
  }
}

}  // namespace meshward::hash
