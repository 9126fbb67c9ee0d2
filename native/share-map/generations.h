#pragma once
// Which inventory named a placement last, in 3 bits: a peer has few generations at a time (the last that ended, the one
// that is under way, some that were broken off), so a code stands for one of them.

#include <array>
#include <cstdint>
#include <vector>

#include "share-map/row.h"

namespace meshward::share_map {

class Generations {
 public:
  static constexpr std::uint32_t codes = 8;

  struct OfPeer {
    std::array<std::uint32_t, codes> generation{};
    std::array<std::uint32_t, codes> placements{};  // in rows, dead ones too
    std::uint32_t unregistered = 0;                 // of these, those in files of which nobody has said what they are
    std::uint8_t dead = 0;                          // a bit for each code whose placements an inventory's end took away
  };

  void reserve_peer(std::uint32_t peer) {
    if (peer >= peers_.size()) peers_.resize(peer + 1);
  }
  std::uint32_t peer_count() const { return static_cast<std::uint32_t>(peers_.size()); }
  OfPeer& of(std::uint32_t peer) { return peers_[peer]; }
  const OfPeer& of(std::uint32_t peer) const { return peers_[peer]; }

  /** The code for a generation, or `codes` where none is free. */
  std::uint32_t find_or_take(std::uint32_t peer, std::uint32_t generation) {
    OfPeer& own = peers_[peer];
    std::uint32_t free = codes;
    for (std::uint32_t code = 0; code < codes; code++) {
      if (own.dead >> code & 1) continue;
      if (own.placements[code] == 0) {
        if (free == codes) free = code;
      } else if (own.generation[code] == generation) {
        return code;
      }
    }
    if (free < codes) own.generation[free] = generation;
    return free;
  }

  bool is_dead(std::uint32_t slot) const { return peers_[peer_of(slot)].dead >> code_of(slot) & 1; }
  std::uint32_t generation_of(std::uint32_t slot) const { return peers_[peer_of(slot)].generation[code_of(slot)]; }
  std::size_t bytes() const { return peers_.capacity() * sizeof(OfPeer); }

 private:
  std::vector<OfPeer> peers_;
};

}  // namespace meshward::share_map
