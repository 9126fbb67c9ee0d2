// writeFiles(paths, parts, sync), placeFiles(from, folders, names, root, sync), readPart(root, path, position, headLength, target):
// appendRecords(fd, positions, heads, parts, growTo), journalFiles(paths, targets, positions, heads, parts, fd, growTo), syncFileSystem(path):
// each a promise of an array of numbers, done on a thread of the pool. recordChecksum(bytes) is a BigInt at once. disk.ts is the typed front.

#include <utility>
#include <vector>

#include "bytes.h"
#include "disk/files.h"
#include "disk/journal.h"
#include "registration.h"

namespace meshward {
namespace {

using disk::Outcome;

std::string text_of(const Napi::Value& value) {
  if (!value.IsString()) throw Napi::TypeError::New(value.Env(), "wants a text");
  return value.As<Napi::String>().Utf8Value();
}

std::vector<std::string> texts_of(const Napi::Value& value) {
  if (!value.IsArray()) throw Napi::TypeError::New(value.Env(), "wants an array of texts");
  const Napi::Array array = value.As<Napi::Array>();
  std::vector<std::string> texts;
  for (std::uint32_t i = 0; i < array.Length(); i++) texts.push_back(text_of(array.Get(i)));
  return texts;
}

/** Runs `work` beside the event loop; what it reads of JavaScript's memory is kept by `kept`. */
template <typename Work>
class Worker : public Napi::AsyncWorker {
 public:
  static Napi::Promise start(const Napi::Env env, const Napi::Value& kept, Work work) {
    auto* worker = new Worker(env, kept, std::move(work));
    const Napi::Promise promise = worker->deferred_.Promise();
    worker->Queue();
    return promise;
  }

  void Execute() override { numbers_ = work_(); }

  void OnOK() override {
    try {
      const Napi::Array result = Napi::Array::New(Env(), numbers_.size());
      for (std::size_t i = 0; i < numbers_.size(); i++) result.Set(static_cast<std::uint32_t>(i), Napi::Number::New(Env(), numbers_[i]));
      deferred_.Resolve(result);
    } catch (const Napi::Error&) {
      // The JavaScript thread is ending: nobody waits any more.
    }
  }

  void OnError(const Napi::Error& error) override {
    try {
      deferred_.Reject(error.Value());
    } catch (const Napi::Error&) {
      // As above.
    }
  }

 private:
  Worker(const Napi::Env env, const Napi::Value& kept, Work work)
      : Napi::AsyncWorker(env, "meshward:disk"), deferred_(Napi::Promise::Deferred::New(env)), kept_(Napi::Reference<Napi::Value>::New(kept, 1)), work_(std::move(work)) {}

  Napi::Promise::Deferred deferred_;
  Napi::Reference<Napi::Value> kept_;
  Work work_;
  std::vector<double> numbers_;
};

template <typename Work>
Napi::Promise beside(const Napi::Env env, const Napi::Value& kept, Work work) {
  return Worker<Work>::start(env, kept, std::move(work));
}

std::vector<double> with_syncs(const std::vector<Outcome>& outcomes, std::size_t syncs) {
  std::vector<double> numbers(outcomes.begin(), outcomes.end());
  numbers.push_back(static_cast<double>(syncs));
  return numbers;
}

Napi::Array array_of(const Napi::Value& value, std::size_t length) {
  if (!value.IsArray() || value.As<Napi::Array>().Length() != length) throw Napi::TypeError::New(value.Env(), "wants an array with one of each");
  return value.As<Napi::Array>();
}

std::vector<disk::Part> parts_of(const Napi::Value& value) {
  if (!value.IsArray()) throw Napi::TypeError::New(value.Env(), "wants an array of parts");
  const Napi::Array array = value.As<Napi::Array>();
  std::vector<disk::Part> parts;
  for (std::uint32_t at = 0; at < array.Length(); at++) {
    const Bytes bytes = bytes_of(value.Env(), array.Get(at));
    parts.push_back({bytes.data, bytes.length});
  }
  return parts;
}

std::uint64_t place_of(const Napi::Value& value) {
  const double place = value.ToNumber();
  if (!(place >= 0 && place <= 9007199254740991.0)) throw Napi::RangeError::New(value.Env(), "not a place in a file");
  return static_cast<std::uint64_t>(place);
}

std::vector<disk::Record> records_of(const Napi::Value& positions, const Napi::Value& heads, const Napi::Array& parts) {
  const Napi::Array all_positions = array_of(positions, parts.Length());
  const Napi::Array all_heads = array_of(heads, parts.Length());
  std::vector<disk::Record> records;
  for (std::uint32_t i = 0; i < parts.Length(); i++) {
    const Bytes head = bytes_of(parts.Env(), all_heads.Get(i));
    if (head.length != disk::record_head_bytes) throw Napi::RangeError::New(parts.Env(), "not the head of a record");
    records.push_back({place_of(all_positions.Get(i)), head.data, parts_of(parts.Get(i))});
  }
  return records;
}

/** What the threads read of JavaScript's memory, in one value. */
Napi::Value both(const Napi::Value& heads, const Napi::Value& parts) {
  const Napi::Array kept = Napi::Array::New(heads.Env(), 2);
  kept.Set(0U, heads);
  kept.Set(1U, parts);
  return kept;
}

Napi::Value append_records(const Napi::CallbackInfo& info) {
  const int descriptor = info[0].ToNumber();
  if (!info[3].IsArray()) throw Napi::TypeError::New(info.Env(), "wants the parts of each record");
  std::vector<disk::Record> records = records_of(info[1], info[2], info[3].As<Napi::Array>());
  const std::uint64_t grow_to = place_of(info[4]);
  return beside(info.Env(), both(info[2], info[3]), [records = std::move(records), descriptor, grow_to] {
    return std::vector<double>{static_cast<double>(disk::append_records(descriptor, records, grow_to))};
  });
}

Napi::Value journal_files(const Napi::CallbackInfo& info) {
  const std::vector<std::string> paths = texts_of(info[0]);
  const std::vector<std::string> targets = texts_of(info[1]);
  const Napi::Array all_parts = array_of(info[4], paths.size());
  if (targets.size() != paths.size()) throw Napi::TypeError::New(info.Env(), "wants a target for each");
  const std::vector<disk::Record> records = records_of(info[2], info[3], all_parts);
  std::vector<disk::JournalledFile> files;
  for (std::size_t i = 0; i < paths.size(); i++) files.push_back({{paths[i], records[i].parts}, targets[i], records[i]});
  const int descriptor = info[5].ToNumber();
  const std::uint64_t grow_to = place_of(info[6]);
  return beside(info.Env(), both(info[3], all_parts), [files = std::move(files), descriptor, grow_to] {
    disk::Outcome journalled = 0;
    const std::vector<disk::Outcome> outcomes = disk::journal_files(files, descriptor, grow_to, journalled);
    std::vector<double> numbers(outcomes.begin(), outcomes.end());
    numbers.push_back(static_cast<double>(journalled));
    return numbers;
  });
}

Napi::Value sync_file_system(const Napi::CallbackInfo& info) {
  return beside(info.Env(), Napi::Array::New(info.Env()), [path = text_of(info[0])] { return std::vector<double>{static_cast<double>(disk::sync_file_system(path))}; });
}

Napi::Value record_checksum(const Napi::CallbackInfo& info) {
  const Bytes bytes = bytes_of(info.Env(), info[0]);
  return Napi::BigInt::New(info.Env(), disk::record_checksum(bytes.data, bytes.length));
}

Napi::Value write_files(const Napi::CallbackInfo& info) {
  const std::vector<std::string> paths = texts_of(info[0]);
  const Napi::Array all_parts = array_of(info[1], paths.size());
  std::vector<disk::NewFile> files;
  for (std::uint32_t i = 0; i < paths.size(); i++) files.push_back({paths[i], parts_of(all_parts.Get(i))});
  const bool sync = info[2].ToBoolean();
  return beside(info.Env(), all_parts, [files = std::move(files), sync] {
    std::size_t syncs = 0;
    const std::vector<Outcome> outcomes = disk::write_files(files, sync, syncs);
    return with_syncs(outcomes, syncs);
  });
}

Napi::Value place_files(const Napi::CallbackInfo& info) {
  const std::vector<std::string> from = texts_of(info[0]);
  const std::vector<std::string> folders = texts_of(info[1]);
  const std::vector<std::string> names = texts_of(info[2]);
  const std::string root = text_of(info[3]);
  if (folders.size() != from.size() || names.size() != from.size()) throw Napi::TypeError::New(info.Env(), "wants a folder and a name for each");
  std::vector<disk::Placing> files;
  for (std::size_t i = 0; i < from.size(); i++) files.push_back({from[i], root, folders[i], names[i]});
  const bool sync = info[4].ToBoolean();
  return beside(info.Env(), info[0], [files = std::move(files), sync] {
    std::size_t syncs = 0;
    const std::vector<Outcome> outcomes = disk::place_files(files, sync, syncs);
    return with_syncs(outcomes, syncs);
  });
}

Napi::Value read_part(const Napi::CallbackInfo& info) {
  const std::string root = text_of(info[0]);
  const std::string path = text_of(info[1]);
  const double position = info[2].ToNumber();
  const double head = info[3].ToNumber();
  const Bytes target = bytes_of(info.Env(), info[4]);
  if (!(position >= 0 && position <= 9007199254740991.0) || !(head >= 0 && head <= static_cast<double>(target.length)))
    throw Napi::RangeError::New(info.Env(), "not a place in a file");
  const auto head_length = static_cast<std::size_t>(head);
  return beside(info.Env(), info[4], [root, path, position, head_length, target] {
    const disk::ReadPart part = disk::read_part(root, path, static_cast<std::uint64_t>(position), head_length, target.length - head_length, target.data);
    return std::vector<double>{static_cast<double>(part.error), static_cast<double>(part.file_bytes), static_cast<double>(part.head_bytes), static_cast<double>(part.bytes)};
  });
}

}  // namespace

void register_disk(Napi::Env env, Napi::Object exports) {
  exports.Set("writeFiles", Napi::Function::New<write_files>(env));
  exports.Set("placeFiles", Napi::Function::New<place_files>(env));
  exports.Set("appendRecords", Napi::Function::New<append_records>(env));
  exports.Set("journalFiles", Napi::Function::New<journal_files>(env));
  exports.Set("recordChecksum", Napi::Function::New<record_checksum>(env));
  exports.Set("syncFileSystem", Napi::Function::New<sync_file_system>(env));
  exports.Set("readPart", Napi::Function::New<read_part>(env));
}

}  // namespace meshward
