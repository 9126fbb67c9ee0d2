#pragma once
// What comes from outside, checked: whatever memory safety hangs on. Columns are as long as they should be and numbers within
// range; behind this border nothing is checked again. Plain C++, so that fuzz targets knock where JavaScript does.

#include <span>

#include "share-map/map.h"

namespace meshward::share_map {

template <class T>
using Column = std::span<const T>;

struct FileInput {
  Column<std::uint8_t> storage_indexes;
  Column<std::uint8_t> ueb_hashes;
  Column<double> size_bytes;
  Column<std::uint32_t> classes;
};

struct PlacementInput {
  Column<std::uint8_t> storage_indexes;
  Column<std::uint8_t> shares;
  Column<std::uint32_t> peers;
  Column<std::uint8_t> states;
  Column<std::uint32_t> generations;
};

struct PeerInput {
  Column<std::uint8_t> flags;
  Column<std::uint16_t> domains;
  Column<std::uint32_t> domain_counts;
  /** Empty: every peer has `full_confidence`. */
  Column<std::uint16_t> confidences;
};

// All of these throw std::out_of_range that says what is wrong.

void check_length(std::size_t length, std::size_t wanted, const char* what);
/** @returns how many storage indexes there are. */
std::size_t count_files(Column<std::uint8_t> storage_indexes);
/** @param known_classes how many there are @param may_lack_class `no_class` is one: a file that is known only to be deleted. */
RegistrationColumns checked_registrations(const FileInput& input, std::uint32_t known_classes, bool may_lack_class);
/** @returns how many events there are. */
std::size_t checked_events(std::uint32_t peer, Column<std::uint8_t> storage_indexes, Column<std::uint8_t> shares, Column<std::uint8_t> kinds);
PlacementColumns checked_placements(const PlacementInput& input);
PeerColumns checked_peers(const PeerInput& input);
FileClass checked_class(const FileClass& file_class);

}  // namespace meshward::share_map
