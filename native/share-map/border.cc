#include "share-map/border.h"

#include <stdexcept>
#include <string>

namespace meshward::share_map {
namespace {

void refuse_unless(bool fine, const char* why) {
  if (!fine) throw std::out_of_range(why);
}

}  // namespace

void check_length(std::size_t length, std::size_t wanted, const char* what) {
  if (length != wanted) throw std::out_of_range(std::to_string(length) + " " + what + " where " + std::to_string(wanted) + " are wanted");
}

std::size_t count_files(Column<std::uint8_t> storage_indexes) {
  refuse_unless(storage_indexes.size() % storage_index_bytes == 0, "storage indexes are 16 bytes each");
  return storage_indexes.size() / storage_index_bytes;
}

RegistrationColumns checked_registrations(const FileInput& input, std::uint32_t known_classes, bool may_lack_class) {
  const std::size_t count = count_files(input.storage_indexes);
  check_length(input.ueb_hashes.size(), count * ueb_hash_bytes, "bytes of UEB hashes");
  check_length(input.size_bytes.size(), count, "sizes");
  check_length(input.classes.size(), count, "classes");
  for (const std::uint32_t file_class : input.classes) {
    refuse_unless(file_class < known_classes || (may_lack_class && file_class == no_class), "a class is not known");
  }
  return {count, input.storage_indexes.data(), input.ueb_hashes.data(), input.size_bytes.data(), input.classes.data()};
}

std::size_t checked_events(std::uint32_t peer, Column<std::uint8_t> storage_indexes, Column<std::uint8_t> shares, Column<std::uint8_t> kinds) {
  refuse_unless(peer < most_peers, "a peer's number is not below 1,048,575");
  const std::size_t count = count_files(storage_indexes);
  check_length(shares.size(), count, "share numbers");
  check_length(kinds.size(), count, "kinds");
  return count;
}

PlacementColumns checked_placements(const PlacementInput& input) {
  const std::size_t count = count_files(input.storage_indexes);
  check_length(input.shares.size(), count, "share numbers");
  check_length(input.peers.size(), count, "peers");
  check_length(input.states.size(), count, "states");
  check_length(input.generations.size(), count, "generations");
  for (const std::uint32_t peer : input.peers) refuse_unless(peer < most_peers, "a peer's number is not below 1,048,575");
  for (const std::uint8_t state : input.states) refuse_unless(state >= placement_stored && state <= placement_corrupt, "a placement's state is not known");
  return {count, input.storage_indexes.data(), input.shares.data(), input.peers.data(), input.states.data(), input.generations.data()};
}

PeerColumns checked_peers(const PeerInput& input) {
  const std::size_t peers = input.flags.size();
  const std::size_t kinds = input.domain_counts.size();
  refuse_unless(peers <= most_peers && kinds <= most_kinds, "more than 1,048,575 peers or 16 kinds of domains");
  check_length(input.domains.size(), peers * kinds, "domains");
  if (!input.confidences.empty()) check_length(input.confidences.size(), peers, "confidences");
  for (const std::uint32_t count : input.domain_counts) refuse_unless(count <= no_domain, "a kind has more than 65,535 domains");
  for (std::size_t i = 0; i < input.domains.size(); i++) {
    refuse_unless(input.domains[i] == no_domain || input.domains[i] < input.domain_counts[i % kinds], "a domain is beyond its kind's count");
  }
  for (const std::uint16_t confidence : input.confidences) refuse_unless(confidence <= full_confidence, "a confidence is more than 1,000 thousandths");
  return {{input.flags.begin(), input.flags.end()},
          {input.domains.begin(), input.domains.end()},
          {input.domain_counts.begin(), input.domain_counts.end()},
          {input.confidences.begin(), input.confidences.end()}};
}

FileClass checked_class(const FileClass& file_class) {
  const auto& [k, n, repair_below, policy, by_owner] = file_class;
  refuse_unless(k >= 1 && k <= n && n <= most_slots, "a coding wants 1 ≤ k ≤ n ≤ 256");
  refuse_unless(repair_below <= most_slots, "the repair threshold is above 256");
  refuse_unless(policy < FileClasses::most, "a policy's number is not below 1,048,576");
  return file_class;
}

}  // namespace meshward::share_map
