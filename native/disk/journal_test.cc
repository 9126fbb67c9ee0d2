// Records against a model of the file, with parts against guard pages, disks that are full, writes that are cut short, and many
// threads on one descriptor. Run by check.js.

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <deque>
#include <filesystem>
#include <string>
#include <thread>

#include "check.h"
#include "disk/journal.h"

using namespace meshward;
using check::GuardedBlock;
using check::Random;
using disk::Outcome;
using disk::record_alignment;
using disk::record_head_bytes;

namespace {

namespace fs = std::filesystem;
using Bytes = std::vector<std::uint8_t>;

class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "meshward-journal-XXXXXX").string();
    CHECK(mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { fs::remove_all(path_); }
  std::string at(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

class Descriptor {
 public:
  Descriptor(const std::string& path, int flags) : descriptor_(::open(path.c_str(), flags | O_CLOEXEC, 0600)) {
    // Not every file system goes past the page cache.
    if (descriptor_ < 0 && errno == EINVAL) descriptor_ = ::open(path.c_str(), (flags & ~O_DIRECT) | O_CLOEXEC, 0600);
    CHECK(descriptor_ >= 0);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { ::close(descriptor_); }
  operator int() const { return descriptor_; }

 private:
  int descriptor_;
};

constexpr int to_write = O_RDWR | O_CREAT | O_DSYNC;

Bytes content_of(const std::string& path) {
  const Descriptor file(path, O_RDONLY);
  struct stat status {};
  CHECK(::fstat(file, &status) == 0);
  Bytes bytes(static_cast<std::size_t>(status.st_size));
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t count = ::pread(file, bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
    CHECK(count > 0);
    done += static_cast<std::size_t>(count);
  }
  return bytes;
}

std::size_t aligned(std::size_t bytes) { return (bytes + record_alignment - 1) / record_alignment * record_alignment; }

/** A record whose head and parts lie against pages that may not be touched, and what is to stand in the file. */
class Sample {
 public:
  Sample(Random& random, std::uint64_t position, std::size_t length) : record_{position, nullptr, {}} {
    const auto block = [&](std::size_t bytes) -> GuardedBlock& {
      blocks_.emplace_back(bytes, random.below(2) == 0 ? GuardedBlock::Against::page_before : GuardedBlock::Against::page_after);
      random.fill(blocks_.back().data(), bytes);
      expected_.insert(expected_.end(), blocks_.back().data(), blocks_.back().data() + bytes);
      return blocks_.back();
    };
    record_.head = block(record_head_bytes).data();
    while (length > 0 || record_.parts.empty()) {
      const std::size_t bytes = std::min(length, random.below(3) == 0 ? length : random.below(length + 1));
      record_.parts.push_back({block(bytes).data(), bytes});
      length -= bytes;
    }
    std::uint8_t* const checksum = expected_.data() + record_head_bytes - 8;
    std::memset(checksum, 0, 8);
    const std::uint64_t sum = disk::record_checksum(expected_.data(), expected_.size());
    std::memcpy(checksum, &sum, sizeof sum);
    expected_.resize(aligned(expected_.size()));
  }
  const disk::Record& record() const { return record_; }
  const Bytes& expected() const { return expected_; }

 private:
  std::deque<GuardedBlock> blocks_;
  disk::Record record_;
  Bytes expected_;
};

void put(Bytes& model, const Sample& sample) {
  const auto position = static_cast<std::size_t>(sample.record().position);
  model.resize(std::max(model.size(), position + sample.expected().size()));
  std::copy(sample.expected().begin(), sample.expected().end(), model.begin() + static_cast<std::ptrdiff_t>(position));
}

bool is_at(const Bytes& file, const Sample& sample) {
  const auto position = static_cast<std::size_t>(sample.record().position);
  return file.size() >= position + sample.expected().size() &&
         std::equal(sample.expected().begin(), sample.expected().end(), file.begin() + static_cast<std::ptrdiff_t>(position));
}

void known_checksums() {
  const auto of = [](const std::string& text) { return disk::record_checksum(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()); };
  CHECK(of("") == 0xEF46DB3751D8E999);
  CHECK(of("a") == 0xD24EC4F1A98C6E5B);
  CHECK(of("abc") == 0x44BC2CF5AD770999);
  CHECK(of("Nobody inspects the spammish repetition") == 0xFBCEA83C8A378BF1);
}

void checksums_read_what_is_theirs() {
  Random random(1);
  for (std::size_t length = 0; length < 200; length++) {
    GuardedBlock before(length, GuardedBlock::Against::page_before), after(length, GuardedBlock::Against::page_after);
    random.fill(before.data(), length);
    std::copy(before.data(), before.data() + length, after.data());
    const std::uint64_t sum = disk::record_checksum(before.data(), length);
    CHECK(sum == disk::record_checksum(after.data(), length));
    if (length == 0) continue;
    after.data()[random.below(length)] ^= static_cast<std::uint8_t>(1 << random.below(8));
    CHECK(sum != disk::record_checksum(after.data(), length));
  }
}

void records_stand_where_they_belong(int rounds) {
  const Folder folder;
  constexpr std::size_t block = record_alignment - record_head_bytes;
  constexpr std::size_t most = disk::most_record_bytes - record_head_bytes;
  const std::size_t edges[] = {0, 1, block - 1, block, block + 1, most - 1, most};
  for (const int flags : {to_write, to_write | O_DIRECT}) {
    Random random(2);
    for (int round = 0; round < rounds; round++) {
      const std::string path = folder.at("journal-" + std::to_string(flags) + "-" + std::to_string(round));
      const Descriptor file(path, flags);
      Bytes model;
      std::size_t at = 0;
      for (int append = 0; append < 4; append++) {
        std::deque<Sample> samples;
        std::vector<disk::Record> records;
        for (std::size_t count = 1 + random.below(8); count > 0; count--) {
          samples.emplace_back(random, at, random.below(3) == 0 ? edges[random.below(std::size(edges))] : random.below(20'000));
          records.push_back(samples.back().record());
          put(model, samples.back());
          at += samples.back().expected().size() + (random.below(4) == 0 ? record_alignment * random.below(3) : 0);
        }
        // Behind the last record, in the midst of what is there, or nowhere; not always a whole block.
        const std::size_t grow_to = random.below(3) == 0 ? 0 : random.below(2 * at + 3 * disk::most_record_bytes);
        CHECK(disk::append_records(file, records, grow_to) == 0);
        model.resize(std::max(model.size(), grow_to / record_alignment * record_alignment));
      }
      CHECK(content_of(path) == model);
    }
  }
}

void what_is_no_record_is_not_written() {
  const Folder folder;
  const Descriptor file(folder.at("journal"), to_write);
  Random random(3);
  const Sample too_long(random, 0, disk::most_record_bytes - record_head_bytes + 1), askew(random, 512, 10), sound(random, 0, 10);
  CHECK(disk::append_records(file, {too_long.record()}, 0) == -EINVAL);
  CHECK(disk::append_records(file, {askew.record()}, 0) == -EINVAL);
  CHECK(disk::append_records(file, {}, record_alignment) == 0);
  CHECK(content_of(folder.at("journal")).empty());
  CHECK(disk::append_records(-1, {sound.record()}, 0) == -EBADF);
}

/** A disk that takes so many bytes and no more. What stands before is whole, and nothing behind looks so. */
void writes_that_are_cut_short(int rounds) {
  const Folder folder;
  ::signal(SIGXFSZ, SIG_IGN);
  rlimit unlimited{};
  CHECK(::getrlimit(RLIMIT_FSIZE, &unlimited) == 0);
  Random random(4);
  for (int round = 0; round < rounds; round++) {
    const std::string path = folder.at("journal-" + std::to_string(round));
    const Descriptor file(path, round % 2 == 0 ? to_write : to_write | O_DIRECT);
    std::deque<Sample> samples;
    std::vector<disk::Record> records;
    std::size_t at = 0;
    for (int count = 0; count < 6; count++) {
      samples.emplace_back(random, at, random.below(count == 3 ? 900'000 : 30'000));
      records.push_back(samples.back().record());
      at += samples.back().expected().size();
    }
    // Also within a block, which is no end that can be gone on from.
    const std::size_t limit = random.below(at);
    const rlimit limited{limit, unlimited.rlim_max};
    CHECK(::setrlimit(RLIMIT_FSIZE, &limited) == 0);
    const Outcome outcome = disk::append_records(file, records, 0);
    CHECK(::setrlimit(RLIMIT_FSIZE, &unlimited) == 0);
    CHECK(outcome < 0);
    const Bytes left = content_of(path);
    CHECK(left.size() <= limit);
    for (const Sample& sample : samples) {
      const std::size_t end = static_cast<std::size_t>(sample.record().position) + sample.expected().size();
      if (end <= left.size()) CHECK(is_at(left, sample));
    }
    // With room again the same place takes the same records.
    CHECK(disk::append_records(file, records, 0) == 0);
    const Bytes whole = content_of(path);
    for (const Sample& sample : samples) CHECK(is_at(whole, sample));
  }
}

disk::JournalledFile journalled(const Folder& folder, const std::string& name, const Sample& sample) {
  return {{folder.at(name), sample.record().parts}, folder.at("target-" + name), sample.record()};
}

void no_file_without_its_record() {
  const Folder folder;
  Random random(5);
  const Sample first(random, 0, 5000), second(random, 8192, 100), third(random, 12288, 0);
  const std::vector<disk::JournalledFile> files{journalled(folder, "a", first), journalled(folder, "b", second), journalled(folder, "c", third)};
  Outcome outcome = 0;
  {
    const Descriptor full("/dev/full", O_WRONLY);
    CHECK(disk::journal_files(files, full, 65536, outcome).size() == files.size());
    CHECK(outcome == -ENOSPC);
    const Descriptor reading(folder.at("journal"), O_RDONLY | O_CREAT);
    disk::journal_files(files, reading, 0, outcome);
    CHECK(outcome == -EBADF);
    for (const disk::JournalledFile& file : files) CHECK(!fs::exists(file.file.path));
  }
  // One whose target is taken, one whose own name is, and one that goes well.
  { const Descriptor taken(files[0].target, O_WRONLY | O_CREAT), other(files[1].file.path, O_WRONLY | O_CREAT); }
  const Descriptor file(folder.at("journal"), to_write);
  const std::vector<Outcome> outcomes = disk::journal_files(files, file, 65536, outcome);
  CHECK(outcome == 0);
  CHECK((outcomes == std::vector<Outcome>{disk::held, -EEXIST, 0}));
  CHECK(!fs::exists(files[0].file.path));
  CHECK(fs::file_size(files[2].file.path) == 0);
  const Bytes journal = content_of(folder.at("journal"));
  CHECK(journal.size() == 65536);
  CHECK(std::all_of(journal.begin(), journal.begin() + 8192, [](std::uint8_t byte) { return byte == 0; }));
  CHECK(is_at(journal, second) && is_at(journal, third));
  CHECK(disk::journal_files({}, file, 0, outcome).empty() && outcome == 0);
}

void many_append_at_once(int appends) {
  const Folder folder;
  const std::string path = folder.at("journal");
  const Descriptor file(path, to_write);
  constexpr std::size_t writers = 4, space = 128 * 1024;
  std::vector<std::deque<Sample>> samples(writers);
  Random random(6);
  for (int turn = 0; turn < appends; turn++) {
    for (std::size_t writer = 0; writer < writers; writer++)
      samples[writer].emplace_back(random, (static_cast<std::size_t>(turn) * writers + writer) * space, random.below(space - record_head_bytes));
  }
  std::vector<std::thread> threads;
  for (std::size_t writer = 0; writer < writers; writer++) {
    threads.emplace_back([&folder, &file, &mine = samples[writer]] {
      for (const Sample& sample : mine) {
        const std::string name = std::to_string(sample.record().position);
        Outcome outcome = 0;
        const std::vector<Outcome> written = disk::journal_files({journalled(folder, name, sample)}, file, 0, outcome);
        CHECK(outcome == 0 && written[0] == 0);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const Bytes all = content_of(path);
  for (const std::deque<Sample>& one : samples) {
    for (const Sample& sample : one) CHECK(is_at(all, sample));
  }
}

void file_systems_are_synced() {
  const Folder folder;
  CHECK(disk::sync_file_system(folder.at("")) == 0);
  CHECK(disk::sync_file_system(folder.at("missing")) == -ENOENT);
  { const Descriptor file(folder.at("file"), O_WRONLY | O_CREAT); }
  CHECK(disk::sync_file_system(folder.at("file")) == -ENOTDIR);
}

}  // namespace

int main(int count, char**) {
  const bool is_quick = count > 1;
  known_checksums();
  checksums_read_what_is_theirs();
  records_stand_where_they_belong(is_quick ? 2 : 12);
  what_is_no_record_is_not_written();
  writes_that_are_cut_short(is_quick ? 6 : 30);
  no_file_without_its_record();
  many_append_at_once(is_quick ? 5 : 30);
  file_systems_are_synced();
  std::puts("journal: every check holds");
}
