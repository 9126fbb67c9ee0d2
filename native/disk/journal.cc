#include "disk/journal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

#include "disk/aligned.h"

namespace meshward::disk {
namespace {

static_assert(std::endian::native == std::endian::little, "records are little-endian");
static_assert(record_alignment == block_bytes);

constexpr std::size_t gathered_bytes = most_record_bytes;

std::size_t aligned(std::size_t bytes) { return (bytes + record_alignment - 1) / record_alignment * record_alignment; }

/** Records that lie one after the other, written at once. */
class Gathering {
 public:
  explicit Gathering(int descriptor) : descriptor_(descriptor), data_(aligned_memory(gathered_bytes)) {}

  bool has_memory() const { return data_ != nullptr; }

  Outcome add(const Record& record) {
    std::size_t length = record_head_bytes;
    for (const Part& part : record.parts) length += part.length;
    if (length > gathered_bytes || record.position % record_alignment != 0) return -EINVAL;
    if (const Outcome ready = make_room(record.position, aligned(length)); ready != 0) return ready;
    std::uint8_t* const begin = data_.get() + filled_;
    std::memcpy(begin, record.head, record_head_bytes);
    std::uint8_t* const checksum = begin + record_head_bytes - sizeof(std::uint64_t);
    std::memset(checksum, 0, sizeof(std::uint64_t));
    std::uint8_t* end = begin + record_head_bytes;
    for (const Part& part : record.parts) {
      if (part.length > 0) std::memcpy(end, part.data, part.length);
      end += part.length;
    }
    const std::uint64_t sum = record_checksum(begin, length);
    std::memcpy(checksum, &sum, sizeof(sum));
    std::memset(end, 0, aligned(length) - length);
    filled_ += aligned(length);
    return 0;
  }

  Outcome zeros_up_to(std::uint64_t end) {
    while (position_ + filled_ < end) {
      if (filled_ == gathered_bytes) {
        if (const Outcome written = write_out(); written != 0) return written;
      }
      const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(end - position_ - filled_, gathered_bytes - filled_));
      std::memset(data_.get() + filled_, 0, count);
      filled_ += count;
    }
    return 0;
  }

  Outcome write_out() {
    for (std::size_t done = 0; done < filled_;) {
      const ssize_t count = ::pwrite(descriptor_, data_.get() + done, filled_ - done, static_cast<off_t>(position_ + done));
      if (count < 0) {
        if (errno == EINTR) continue;
        return -errno;
      }
      // A part that ends within a block cannot be gone on from without the page cache.
      if (count == 0 || static_cast<std::size_t>(count) % record_alignment != 0) return -ENOSPC;
      done += static_cast<std::size_t>(count);
    }
    position_ += filled_;
    filled_ = 0;
    return 0;
  }

 private:
  Outcome make_room(std::uint64_t position, std::size_t bytes) {
    if (filled_ > 0 && (position_ + filled_ != position || filled_ + bytes > gathered_bytes)) {
      if (const Outcome written = write_out(); written != 0) return written;
    }
    if (filled_ == 0) position_ = position;
    return 0;
  }

  int descriptor_;
  AlignedMemory data_;
  std::uint64_t position_ = 0;
  std::size_t filled_ = 0;
};

constexpr std::uint64_t prime1 = 0x9E3779B185EBCA87, prime2 = 0xC2B2AE3D27D4EB4F, prime3 = 0x165667B19E3779F9, prime4 = 0x85EBCA77C2B2AE63, prime5 = 0x27D4EB2F165667C5;

template <typename Word>
Word word_at(const std::uint8_t* data) {
  Word word;
  std::memcpy(&word, data, sizeof(word));
  return word;
}

std::uint64_t round_of(std::uint64_t sum, std::uint64_t word) { return std::rotl(sum + word * prime2, 31) * prime1; }

}  // namespace

std::uint64_t record_checksum(const std::uint8_t* data, std::size_t length) {
  const std::uint8_t* const end = data + length;
  std::uint64_t sum = prime5;
  if (length >= 32) {
    std::uint64_t lanes[4] = {prime1 + prime2, prime2, 0, 0 - prime1};
    for (; end - data >= 32; data += 32) {
      for (int lane = 0; lane < 4; lane++) lanes[lane] = round_of(lanes[lane], word_at<std::uint64_t>(data + 8 * lane));
    }
    sum = std::rotl(lanes[0], 1) + std::rotl(lanes[1], 7) + std::rotl(lanes[2], 12) + std::rotl(lanes[3], 18);
    for (const std::uint64_t lane : lanes) sum = (sum ^ round_of(0, lane)) * prime1 + prime4;
  }
  sum += length;
  for (; end - data >= 8; data += 8) sum = std::rotl(sum ^ round_of(0, word_at<std::uint64_t>(data)), 27) * prime1 + prime4;
  if (end - data >= 4) {
    sum = std::rotl(sum ^ (word_at<std::uint32_t>(data) * prime1), 23) * prime2 + prime3;
    data += 4;
  }
  for (; data < end; data++) sum = std::rotl(sum ^ (*data * prime5), 11) * prime1;
  sum = (sum ^ (sum >> 33)) * prime2;
  sum = (sum ^ (sum >> 29)) * prime3;
  return sum ^ (sum >> 32);
}

Outcome append_records(int descriptor, const std::vector<Record>& records, std::uint64_t grow_to) {
  if (records.empty()) return 0;
  Gathering gathering(descriptor);
  if (!gathering.has_memory()) return -ENOMEM;
  for (const Record& record : records) {
    if (const Outcome added = gathering.add(record); added != 0) return added;
  }
  if (const Outcome grown = gathering.zeros_up_to(grow_to / record_alignment * record_alignment); grown != 0) return grown;
  return gathering.write_out();
}

std::vector<Outcome> journal_files(const std::vector<JournalledFile>& files, int descriptor, std::uint64_t grow_to, Outcome& journalled) {
  std::vector<Outcome> outcomes(files.size(), held);
  std::vector<Record> records;
  std::vector<NewFile> fresh;
  for (const JournalledFile& file : files) {
    struct stat status {};
    if (::lstat(file.target.c_str(), &status) == 0) continue;
    records.push_back(file.record);
    fresh.push_back(file.file);
  }
  journalled = append_records(descriptor, records, grow_to);
  if (journalled != 0) return outcomes;
  std::size_t syncs = 0;
  const std::vector<Outcome> written = write_files(fresh, false, syncs);
  for (std::size_t i = 0, at = 0; i < files.size() && at < fresh.size(); i++) {
    if (fresh[at].path == files[i].file.path) outcomes[i] = written[at++];
  }
  return outcomes;
}

Outcome sync_file_system(const std::string& path) {
#ifdef __linux__
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return -errno;
  const Outcome outcome = ::syncfs(descriptor) == 0 ? 0 : -errno;
  ::close(descriptor);
  return outcome;
#else
  return path.empty() ? -ENOENT : -ENOSYS;
#endif
}

}  // namespace meshward::disk
