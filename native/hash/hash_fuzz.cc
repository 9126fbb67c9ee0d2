// The hash's border: any prefix, count, length and pace, at any level, equal the scalar level within blocks allocated to the byte.

#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "hash/tagged.h"
#include "hash/tree.h"
#include "isa/isa.h"

using namespace meshward;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 5) return 0;
  const auto& levels = isa::supported();
  const isa::Level level = levels[data[0] % levels.size()];
  const std::size_t count = data[1] % 40;
  const std::size_t length = (data[2] | data[3] << 8) % 3000;
  const std::string prefix(data[4] % 150, 'p');
  const std::size_t pace = 1 + data[size - 1];

  std::vector<std::unique_ptr<std::uint8_t[]>> memory;
  std::vector<const std::uint8_t*> messages;
  for (std::size_t m = 0; m < count; m++) {
    memory.push_back(std::make_unique<std::uint8_t[]>(length));
    for (std::size_t c = 0; c < length; c++) memory.back()[c] = static_cast<std::uint8_t>(data[(c + m) % size] + c);
    messages.push_back(memory.back().get());
  }
  std::vector<std::uint8_t> digests[2];
  for (int pass = 0; pass < 2; pass++) {
    isa::set(pass == 0 ? isa::Level::scalar : level);
    digests[pass].resize(count * hash::digest_bytes);
    hash::Lockstep lockstep(prefix, messages, length);
    if (pass == 1) {
      for (std::size_t at = 0; at <= length; at += pace) lockstep.advance(at);
    }
    lockstep.finish(digests[pass].data());
  }
  if (digests[0] != digests[1]) std::abort();
  std::vector<std::uint8_t> nodes((2 * hash::padded_leaf_count(count) - 1) * hash::digest_bytes);
  hash::hash_tree(digests[1].data(), count, nodes.data());
  return 0;
}
