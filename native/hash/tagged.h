#pragma once
// SHA-256d as Tahoe-LAFS uses it: tagged(tag, x) = SHA256(SHA256(netstring(tag) + x)).

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "hash/lockstep.h"

namespace meshward::hash {

/** `<length in decimal>:<text>,` */
std::string netstring(std::string_view text);

struct Message {
  const std::uint8_t* data;
  std::size_t length;
};

/** SHA256(SHA256(prefix + message)) of every message, 32 bytes each in their order. An empty prefix is allowed. */
void double_hash(std::string_view prefix, std::span<const Message> messages, std::uint8_t* digests);

}  // namespace meshward::hash
