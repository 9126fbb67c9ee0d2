// writeFiles(paths, parts, sync), placeFiles(from, folders, names, root, sync), readPart(root, path, position, headLength, target):
// each a promise of an array of numbers, done on a thread of the pool. disk.ts is the typed front.

#include <utility>
#include <vector>

#include "bytes.h"
#include "disk/files.h"
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

Napi::Value write_files(const Napi::CallbackInfo& info) {
  const std::vector<std::string> paths = texts_of(info[0]);
  if (!info[1].IsArray() || info[1].As<Napi::Array>().Length() != paths.size()) throw Napi::TypeError::New(info.Env(), "wants the parts of each file");
  const Napi::Array all_parts = info[1].As<Napi::Array>();
  std::vector<disk::NewFile> files;
  for (std::uint32_t i = 0; i < paths.size(); i++) {
    disk::NewFile file{paths[i], {}};
    const Napi::Value parts = all_parts.Get(i);
    if (!parts.IsArray()) throw Napi::TypeError::New(info.Env(), "wants an array of parts");
    for (std::uint32_t at = 0; at < parts.As<Napi::Array>().Length(); at++) {
      const Bytes bytes = bytes_of(info.Env(), parts.As<Napi::Array>().Get(at));
      file.parts.push_back({bytes.data, bytes.length});
    }
    files.push_back(std::move(file));
  }
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
  exports.Set("readPart", Napi::Function::New<read_part>(env));
}

}  // namespace meshward
