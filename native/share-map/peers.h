#pragma once
// The peers' states and domains as tables that a sweep reads. Never changed once made: a what-if makes another.

#include <cstdint>
#include <span>
#include <vector>

#include "share-map/generations.h"

namespace meshward::share_map {

enum PeerFlag : std::uint8_t { available = 1, counted = 2, retained = 4 };
constexpr std::uint16_t no_domain = 0xffff;
constexpr std::uint32_t most_kinds = 16;
constexpr std::uint16_t full_confidence = 1000;

/** Counts of one placement in three fields of a word, so that one addition counts all. */
constexpr std::uint32_t sum_of(std::uint8_t flags) {
  return (flags & available) | static_cast<std::uint32_t>(flags >> 1 & 1) << 10 | static_cast<std::uint32_t>(flags >> 2 & 1) << 20;
}

struct PeerColumns {
  std::vector<std::uint8_t> flags;          // PeerFlag, one a peer
  std::vector<std::uint16_t> domains;       // peers × kinds; no_domain where the peer names none
  std::vector<std::uint32_t> domain_count;  // one a kind
  std::vector<std::uint16_t> confidences;   // thousandths, one a peer; empty where every peer has `full_confidence`
};

/**
 * Tables for peers 0 … capacity − 1; what the columns do not name is down. Index 0 is the empty slot, peer p is at p + 1.
 * Up to four kinds with at most 16 domains each have lanes: 16 bytes a kind with a 1 in the byte of the peer's domain, so that
 * adding them up counts a file's shares in every domain at once. Other kinds are counted one by one.
 * Peers with the same state and the same lanes share a row of them: rows are few, and stay in the nearest cache.
 */
struct PeerTables {
  PeerTables(const PeerColumns& columns, std::uint32_t capacity, const Generations& generations);

  std::uint8_t flags_of(std::uint32_t peer) const { return flags[peer + 1]; }
  /** 0 where the peer is not available. */
  std::uint16_t confidence_of(std::uint32_t peer) const { return confidences[peer + 1]; }
  std::uint16_t domain_of(std::uint32_t peer, std::uint32_t kind) const { return domains[static_cast<std::size_t>(peer + 1) * kinds + kind]; }

  std::uint32_t capacity;
  std::uint32_t kinds;
  std::vector<std::uint32_t> domain_count;
  std::vector<std::uint32_t> first_domain;  // of each kind in columns over all domains
  std::uint32_t all_domains = 0;

  std::vector<std::uint8_t> flags;
  std::vector<std::uint16_t> domains;
  std::vector<std::uint16_t> confidences;
  /** What a placement counts (see count_shares.h) by peer; or by peer × 8 + generation code where some placements are dead. */
  std::vector<std::uint64_t> entries;
  bool some_dead = false;

  std::vector<std::uint32_t> lane_kinds;
  std::vector<std::uint32_t> other_kinds;
  std::uint32_t lane_groups = 1;  // 1, 2 or 4 groups of 16 bytes a row
  const std::uint8_t* lanes = nullptr;

  bool dead(std::uint32_t slot) const { return some_dead && dead_[slot >> 1]; }

  const std::uint8_t* lanes_of(std::uint32_t peer) const { return lanes + static_cast<std::size_t>(sound_rows_[peer + 1]) * lane_groups * 16; }

 private:
  /** @returns the row of each peer; row 0 counts nothing. */
  std::vector<std::uint32_t> make_lanes();

  std::vector<std::uint32_t> sound_rows_;
  std::vector<std::uint8_t> lane_memory_;
  std::vector<bool> dead_;
};

}  // namespace meshward::share_map
