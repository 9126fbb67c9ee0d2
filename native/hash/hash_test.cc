// Known digests, and every level against the scalar one with messages against guard pages, taken in at any pace. Run by check.js.

#include <string>

#include "check.h"
#include "hash/tagged.h"
#include "hash/tree.h"

using namespace meshward;
using check::GuardedBlock;
using check::Random;

namespace {

std::string hex(const std::uint8_t* bytes, std::size_t length) {
  std::string text;
  for (std::size_t i = 0; i < length; i++) {
    char digits[3];
    std::snprintf(digits, sizeof digits, "%02x", bytes[i]);
    text += digits;
  }
  return text;
}

void known_digests() {
  const auto of = [](const std::string& prefix, const std::string& text) {
    std::uint8_t digest[hash::digest_bytes];
    const hash::Message message{reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
    hash::double_hash(prefix, {&message, 1}, digest);
    return hex(digest, sizeof digest);
  };
  CHECK(of("", "") == "5df6e0e2761359d30a8275058e299fcc0381534545f55cf43e41983f5d4c9456");
  CHECK(of("", "abc") == "4f8b42c22dd3729b519ba6f68d2da7cc5b2d606d05daed5ad5128cc03e6c6358");
  CHECK(of("a", "bc") == of("", "abc"));
  CHECK(hash::netstring("abc") == "3:abc,");
}

void levels_agree() {
  Random random(1);
  for (int round = 0; round < 400; round++) {
    const std::size_t length = random.below(round % 8 == 0 ? 5000 : 300);
    const std::size_t count = 1 + random.below(35);
    const std::string prefix(random.below(135), 'p');
    std::vector<GuardedBlock> blocks;
    std::vector<const std::uint8_t*> messages;
    for (std::size_t m = 0; m < count; m++) {
      blocks.emplace_back(length, m % 2 ? GuardedBlock::Against::page_before : GuardedBlock::Against::page_after);
      random.fill(blocks.back().data(), length);
      messages.push_back(blocks.back().data());
    }
    std::vector<std::uint8_t> expected(count * hash::digest_bytes);
    isa::set(isa::Level::scalar);
    hash::Lockstep(prefix, messages, length).finish(expected.data());
    const auto& levels = isa::supported();
    for (std::size_t l = 0; l < 2 * levels.size(); l++) {
      isa::use_sha(l % 2 == 0);
      isa::set(levels[l / 2]);
      std::vector<std::uint8_t> digests(expected.size());
      hash::Lockstep lockstep(prefix, messages, length);
      for (std::size_t at = 0; at < length; at += 1 + random.below(length)) lockstep.advance(at);
      lockstep.finish(digests.data());
      CHECK(digests == expected);
    }
  }
  isa::use_sha(true);
  isa::set(isa::supported().back());
}

void trees_have_their_pairs() {
  Random random(2);
  for (std::size_t leaf_count = 1; leaf_count <= 40; leaf_count++) {
    std::vector<std::uint8_t> leaves(leaf_count * hash::digest_bytes);
    random.fill(leaves.data(), leaves.size());
    const std::size_t padded = hash::padded_leaf_count(leaf_count);
    std::vector<std::uint8_t> nodes((2 * padded - 1) * hash::digest_bytes);
    hash::hash_tree(leaves.data(), leaf_count, nodes.data());
    CHECK(std::memcmp(&nodes[(padded - 1) * hash::digest_bytes], leaves.data(), leaves.size()) == 0);
    for (std::size_t i = 0; i + 1 < padded; i++) {
      std::uint8_t parent[hash::digest_bytes];
      hash::pair_hash(&nodes[(2 * i + 1) * hash::digest_bytes], &nodes[(2 * i + 2) * hash::digest_bytes], parent);
      CHECK(std::memcmp(parent, &nodes[i * hash::digest_bytes], sizeof parent) == 0);
    }
  }
}

}  // namespace

int main() {
  known_digests();
  levels_agree();
  trees_have_their_pairs();
  std::puts("hash: every check holds");
}
