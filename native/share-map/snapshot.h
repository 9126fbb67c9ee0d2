#pragma once
// A map as bytes and back, part by part: part 0 has the classes, the peers' states, domains, confidences and generations, every
// other part up to 32 slabs. A part ends with a checksum of itself. For processes of the same version on the same kind of machine: what outlives
// versions is the store.

#include <span>

#include "share-map/map.h"

namespace meshward::share_map {

class Snapshot {
 public:
  /** The length of a part, or 0 behind the last. Part 0 begins a snapshot: the map must not change until the last is written. */
  static std::size_t part_bytes(ShareMap& map, std::uint32_t part);
  static void write_part(ShareMap& map, std::uint32_t part, std::span<std::uint8_t> to);
  /**
   * Parts in order, into a new map. After an error the map holds what came before it: too little, and no danger to memory.
   * @throws std::logic_error where the bytes are not what `write_part` wrote.
   */
  static void read_part(ShareMap& map, std::span<const std::uint8_t> from);
  /** Writes the checksum into the last 8 bytes of a part. */
  static void seal(std::span<std::uint8_t> part);

 private:
  class Reader;
  static void read_head(ShareMap& map, Reader& reader);
  static void read_slab(ShareMap& map, Reader& reader);
  static void adopt_row(ShareMap& map, Slab& slab, RowNumber number);
};

}  // namespace meshward::share_map
