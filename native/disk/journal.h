#pragma once
// Records appended to a file that every write makes durable: many files at the price of one sync. tahoe/gbs/journal-record.ts has their meaning.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "disk/files.h"

namespace meshward::disk {

/** Records begin at multiples of it, since descriptors that bypass the page cache write nothing else. */
inline constexpr std::size_t record_alignment = 4096;
/** What a record begins with; the last eight bytes are its checksum. */
inline constexpr std::size_t record_head_bytes = 72;
inline constexpr std::size_t most_record_bytes = 1024 * 1024;

struct Record {
  std::uint64_t position;
  /** `record_head_bytes`, of which the checksum is filled in. */
  const std::uint8_t* head;
  std::vector<Part> parts;
};

/**
 * Writes the records, whose positions grow, and zeros behind the last one up to `grow_to`, so that later ones overwrite blocks that are
 * there. The descriptor is open with O_DSYNC, with O_DIRECT or without.
 */
Outcome append_records(int descriptor, const std::vector<Record>& records, std::uint64_t grow_to);

/** XXH64 with seed 0: tells a record that was written in part from a whole one. */
std::uint64_t record_checksum(const std::uint8_t* data, std::size_t length);

struct JournalledFile {
  NewFile file;
  /** Where it will be: a file that is there already is `held`, and neither journalled nor written. */
  std::string target;
  Record record;
};

/** Records and then files, which are not synced. @param journalled of the records; where it is not 0, no file was written. */
std::vector<Outcome> journal_files(const std::vector<JournalledFile>& files, int descriptor, std::uint64_t grow_to, Outcome& journalled);

/** Everything that was written to the file system of `path`; -ENOSYS where the system cannot tell whether that went well. */
Outcome sync_file_system(const std::string& path);

}  // namespace meshward::disk
