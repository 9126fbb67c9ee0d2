#include "disk/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>

#include "disk/aligned.h"

namespace meshward::disk {
namespace {

constexpr std::size_t parts_at_once = 512;  // IOV_MAX is 1024
constexpr std::size_t chunk_bytes = 512 * 1024;
/** Longer files go past the page cache: they are seldom read soon, and pages for them cost more than a copy and push out others. */
constexpr std::size_t direct_from_bytes = 512 * 1024;

class File {
 public:
  File(const std::string& path, int flags, mode_t mode = 0) : descriptor_(::open(path.c_str(), flags | O_CLOEXEC, mode)) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  File(File&& other) noexcept : descriptor_(other.descriptor_) { other.descriptor_ = -1; }
  ~File() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  int descriptor() const { return descriptor_; }

 private:
  int descriptor_;
};

Outcome write_fully(int descriptor, const std::uint8_t* data, std::size_t length) {
  for (std::size_t done = 0; done < length;) {
    const ssize_t written = ::write(descriptor, data + done, length - done);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return -errno;
    done += static_cast<std::size_t>(written);
  }
  return 0;
}

/** Past the page cache where the file system can. */
class DirectFile {
 public:
  explicit DirectFile(int descriptor) : descriptor_(descriptor), flags_(::fcntl(descriptor, F_GETFL)) {
#ifdef O_DIRECT
    is_direct_ = flags_ >= 0 && ::fcntl(descriptor_, F_SETFL, flags_ | O_DIRECT) == 0;
#endif
  }

  bool is_direct() const { return is_direct_; }

  /** Whole blocks from memory at a multiple of one, but for the last of a file. */
  Outcome write(const std::uint8_t* data, std::size_t length) {
    const std::size_t blocks = is_direct_ ? length / block_bytes * block_bytes : 0;
    for (std::size_t done = 0; is_direct_ && done < blocks;) {
      const ssize_t written = ::write(descriptor_, data + done, blocks - done);
      if (written < 0 && errno == EINTR) continue;
      // Blocks may be longer here, and what was written of one cannot be gone on from without the page cache.
      if (written < 0 && errno != EINVAL) return -errno;
      if (written > 0) done += static_cast<std::size_t>(written);
      if (written < 0 || done % block_bytes != 0) through_cache();
      if (!is_direct_) return write_fully(descriptor_, data + done, length - done);
    }
    if (blocks == length) return 0;
    through_cache();
    return write_fully(descriptor_, data + blocks, length - blocks);
  }

 private:
  void through_cache() {
    if (is_direct_) ::fcntl(descriptor_, F_SETFL, flags_);
    is_direct_ = false;
  }

  int descriptor_;
  int flags_;
  bool is_direct_ = false;
};

Outcome write_direct(DirectFile& file, const std::vector<Part>& parts) {
  const AlignedMemory memory = aligned_memory(chunk_bytes);
  if (memory == nullptr) return -ENOMEM;
  std::uint8_t* const chunk = memory.get();
  std::size_t filled = 0;
  for (const Part& part : parts) {
    for (std::size_t at = 0; at < part.length;) {
      const std::size_t length = std::min(part.length - at, chunk_bytes - filled);
      std::memcpy(chunk + filled, part.data + at, length);
      filled += length;
      at += length;
      if (filled < chunk_bytes) continue;
      if (const Outcome written = file.write(chunk, filled); written != 0) return written;
      filled = 0;
    }
  }
  return file.write(chunk, filled);
}

Outcome write_through_cache(int descriptor, const std::vector<Part>& parts) {
  std::vector<iovec> left;
  for (const Part& part : parts) {
    if (part.length > 0) left.push_back({const_cast<std::uint8_t*>(part.data), part.length});
  }
  for (std::size_t at = 0; at < left.size();) {
    const auto count = static_cast<int>(std::min(parts_at_once, left.size() - at));
    ssize_t written = ::writev(descriptor, &left[at], count);
    if (written < 0) {
      if (errno == EINTR) continue;
      return -errno;
    }
    for (; at < left.size() && static_cast<std::size_t>(written) >= left[at].iov_len; at++) written -= static_cast<ssize_t>(left[at].iov_len);
    if (written > 0) {
      left[at].iov_base = static_cast<std::uint8_t*>(left[at].iov_base) + written;
      left[at].iov_len -= static_cast<std::size_t>(written);
    }
  }
  return 0;
}

Outcome write_all(int descriptor, const std::vector<Part>& parts) {
  std::size_t length = 0;
  for (const Part& part : parts) length += part.length;
  if (length >= direct_from_bytes) {
    DirectFile file(descriptor);
    if (file.is_direct()) return write_direct(file, parts);
  }
  return write_through_cache(descriptor, parts);
}

/** @returns how much there was, or a negative errno. */
ssize_t read_at(int descriptor, std::uint8_t* target, std::size_t length, std::uint64_t position) {
  std::size_t done = 0;
  while (done < length) {
    const ssize_t count = ::pread(descriptor, target + done, length - done, static_cast<off_t>(position + done));
    if (count < 0) {
      if (errno == EINTR) continue;
      return -errno;
    }
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  return static_cast<ssize_t>(done);
}

Outcome sync_folder(const std::string& path) {
  const File folder(path, O_RDONLY | O_DIRECTORY);
  return folder.descriptor() < 0 || ::fsync(folder.descriptor()) != 0 ? -errno : 0;
}

std::string parent_of(const std::string& path) { return path.substr(0, path.find_last_of('/')); }

/** The folders from below root down to `path`: outermost first. */
std::vector<std::string> folders_below(const std::string& root, const std::string& path) {
  std::vector<std::string> folders;
  for (std::string at = path; at.size() > root.size(); at = parent_of(at)) folders.insert(folders.begin(), at);
  return folders;
}

/** Makes what is missing; `touched` gains the folders that have got a new name. */
Outcome make_folders(const std::string& root, const std::string& path, std::set<std::string>& touched) {
  for (const std::string& folder : folders_below(root, path)) {
    struct stat status {};
    if (::lstat(folder.c_str(), &status) == 0) {
      if (!S_ISDIR(status.st_mode)) return S_ISLNK(status.st_mode) ? -ELOOP : -ENOTDIR;
      continue;
    }
    if (errno != ENOENT) return -errno;
    // Whoever made it in between may not have synced it yet.
    if (::mkdir(folder.c_str(), 0777) != 0 && errno != EEXIST) return -errno;
    touched.insert(parent_of(folder));
  }
  return 0;
}

Outcome place(const Placing& file, std::set<std::string>& touched) {
  if (const Outcome made = make_folders(file.root, file.folder, touched); made != 0) return made;
  const std::string path = file.folder + "/" + file.name;
  struct stat status {};
  if (::lstat(path.c_str(), &status) == 0) return held;
  if (errno != ENOENT) return -errno;
  if (::rename(file.from.c_str(), path.c_str()) != 0) return -errno;
  touched.insert(file.folder);
  return 0;
}

}  // namespace

std::vector<Outcome> write_files(const std::vector<NewFile>& files, bool sync, std::size_t& syncs) {
  std::vector<Outcome> outcomes;
  std::vector<File> open;
  open.reserve(files.size());
  for (const NewFile& file : files) {
    open.emplace_back(file.path, O_WRONLY | O_CREAT | O_EXCL, 0644);
    const int descriptor = open.back().descriptor();
    outcomes.push_back(descriptor < 0 ? -errno : write_all(descriptor, file.parts));
    if (descriptor >= 0 && outcomes.back() != 0) ::unlink(file.path.c_str());
  }
  for (std::size_t i = 0; sync && i < files.size(); i++) {
    if (outcomes[i] != 0) continue;
    syncs++;
    if (::fsync(open[i].descriptor()) == 0) continue;
    outcomes[i] = -errno;
    ::unlink(files[i].path.c_str());
  }
  return outcomes;
}

std::vector<Outcome> place_files(const std::vector<Placing>& files, bool sync, std::size_t& syncs) {
  std::vector<Outcome> outcomes;
  std::set<std::string> touched;
  for (const Placing& file : files) outcomes.push_back(place(file, touched));
  Outcome synced = 0;
  // Inner folders first, which a set of paths has last: a name is durable when the folder that holds it is.
  for (auto folder = touched.rbegin(); sync && folder != touched.rend(); ++folder) {
    syncs++;
    if (const Outcome one = sync_folder(*folder); one != 0 && synced == 0) synced = one;
  }
  outcomes.push_back(synced);
  return outcomes;
}

ReadPart read_part(const std::string& root, const std::string& path, std::uint64_t position, std::size_t head_length, std::size_t length, std::uint8_t* target) {
  ReadPart part;
  const auto failed = [&part](int error) {
    part.error = -error;
    return part;
  };
  struct stat status {};
  for (const std::string& folder : folders_below(root, parent_of(path))) {
    if (::lstat(folder.c_str(), &status) != 0) return failed(errno);
    if (S_ISLNK(status.st_mode)) return failed(ELOOP);
  }
  const File file(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (file.descriptor() < 0 || ::fstat(file.descriptor(), &status) != 0) return failed(errno);
  if (!S_ISREG(status.st_mode)) return failed(EISDIR);
  part.file_bytes = static_cast<std::uint64_t>(status.st_size);
  const ssize_t head = read_at(file.descriptor(), target, head_length, 0);
  if (head < 0) return failed(static_cast<int>(-head));
  part.head_bytes = static_cast<std::size_t>(head);
  const ssize_t bytes = read_at(file.descriptor(), target + head_length, length, position);
  if (bytes < 0) return failed(static_cast<int>(-bytes));
  part.bytes = static_cast<std::size_t>(bytes);
  return part;
}

}  // namespace meshward::disk
