#include "hash/tagged.h"

namespace meshward::hash {
namespace {

// Bounds the memory of one pass; more messages beside each other gain nothing.
constexpr std::size_t most_together = 64;

}  // namespace

std::string netstring(std::string_view text) { return std::to_string(text.size()) + ":" + std::string(text) + ","; }

void double_hash(std::string_view prefix, std::span<const Message> messages, std::uint8_t* digests) {
  std::vector<const std::uint8_t*> together;
  for (std::size_t first = 0; first < messages.size(); first += together.size()) {
    const std::size_t length = messages[first].length;
    together.clear();
    for (std::size_t m = first; m < messages.size() && messages[m].length == length && together.size() < most_together; m++) {
      together.push_back(messages[m].data);
    }
    Lockstep(prefix, together, length).finish(digests + first * digest_bytes);
  }
}

}  // namespace meshward::hash
