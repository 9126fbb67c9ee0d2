// The share map's border for snapshots: any parts, with checksums that fit, are refused or read; either way the map that is left
// can be asked and changed. Input: a level, then parts with two bytes of length before each.

#include "share-map/fuzz_uses.h"

using namespace meshward;
using namespace meshward::share_map;
using namespace meshward::share_map::fuzz;

namespace {

constexpr std::size_t checksum_bytes = 8;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  isa::set(isa::supported()[input.below(isa::supported().size())]);
  ShareMap map(1, 2, known_files, 20);
  while (!input.is_empty()) {
    const std::size_t low = input.byte();
    std::vector<std::uint8_t> part = input.bytes(low | static_cast<std::size_t>(input.byte()) << 8);
    if (part.size() >= checksum_bytes) Snapshot::seal(part);
    try {
      Snapshot::read_part(map, part);
    } catch (const std::logic_error&) {
    }
  }
  use_everything(map, input);
  if (map.classes().count() > 0) {
    const auto index = index_of(1);
    const std::uint8_t hash[ueb_hash_bytes] = {};
    const double size_bytes = 5;
    const std::uint32_t file_class = 0;
    map.register_files({1, index.data(), hash, &size_bytes, &file_class}, time_origin_ms);
  }
  use_everything(map, input);
  return 0;
}
