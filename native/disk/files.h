#pragma once
// What a share server asks of the file system, each a few calls of the system that must not block the event loop.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace meshward::disk {

struct Part {
  const std::uint8_t* data;
  std::size_t length;
};

struct NewFile {
  std::string path;
  std::vector<Part> parts;
};

struct Placing {
  std::string from;
  std::string root;
  std::string folder;
  std::string name;
};

/** 0, or a negative errno. */
using Outcome = int;
inline constexpr Outcome held = 1;

/**
 * Writes the files, which must not exist, and syncs all of them after the last was written. One that fails is removed. Long ones go
 * past the page cache where the file system can; each thread that writes one takes 512 KiB for that.
 * @param syncs counts them.
 */
std::vector<Outcome> write_files(const std::vector<NewFile>& files, bool sync, std::size_t& syncs);

/**
 * Moves files to `folder`/`name`, making folders below `root` where they are missing; then syncs every folder that has a new name
 * in it. `held` where the name is taken: the file stays where it was, and so it does where it fails. A folder that is a link,
 * or stands in one below root, is ELOOP. The last of its results is that of the syncs, which all stored ones share.
 */
std::vector<Outcome> place_files(const std::vector<Placing>& files, bool sync, std::size_t& syncs);

struct ReadPart {
  Outcome error = 0;
  std::uint64_t file_bytes = 0;
  std::size_t head_bytes = 0;
  std::size_t bytes = 0;
};

/** The first `head_length` bytes of a file and `length` from `position` on, one after the other in `target`. No link is followed below `root`. */
ReadPart read_part(const std::string& root, const std::string& path, std::uint64_t position, std::size_t head_length, std::size_t length, std::uint8_t* target);

}  // namespace meshward::disk
