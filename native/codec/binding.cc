// regenerate(...) at once; startRegenerate(...) and cancelRegenerate(id) on the pool. The typed front (codec.ts) checks what a
// caller can get wrong; here is checked what memory safety hangs on.
//
// Arguments of both: numbers (sources, then wanted, one byte each), k, sources (k blocks for each segment, one segment
// after another), outputs (likewise), tag and digests (both null: no hashing).

#include <bitset>
#include <optional>
#include <string>

#include "bytes.h"
#include "codec/batch.h"
#include "codec/binding_jobs.h"
#include "hash/tagged.h"
#include "registration.h"

namespace meshward {
namespace {

using codec::Batch;
using codec::Regeneration;

constexpr std::size_t plan_cache_bytes = 8u << 20;

codec::PlanCache& plan_cache() {
  static codec::PlanCache cache(plan_cache_bytes);
  return cache;
}

/** Reads `count` blocks from place `first` of the array; all must have `*length` bytes (the first sets it where it is not). */
template <typename Pointer>
void read_blocks(napi_env env, napi_value array, std::size_t first, std::size_t count, std::vector<Pointer>& blocks,
                 std::optional<std::size_t>& length) {
  blocks.resize(count);
  for (std::size_t i = 0; i < count; i++) {
    napi_value value;
    if (napi_get_element(env, array, static_cast<std::uint32_t>(first + i), &value) != napi_ok) throw Napi::Error::New(env);
    const Bytes block = bytes_of(env, value);
    if (!length) length = block.length;
    if (block.length != *length) throw Napi::RangeError::New(env, "the blocks differ in length");
    blocks[i] = block.data;
  }
}

void check_numbers(napi_env env, std::span<const std::uint8_t> numbers, const char* what) {
  std::bitset<256> seen;
  for (const std::uint8_t number : numbers) {
    if (seen[number]) throw Napi::RangeError::New(env, std::string(what) + " share " + std::to_string(number) + " is named twice");
    seen[number] = true;
  }
}

Batch read_batch(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!info[1].IsNumber() || !info[2].IsArray() || !info[3].IsArray()) throw Napi::TypeError::New(env, "wants numbers, k, sources, outputs");
  const Bytes numbers = bytes_of(env, info[0]);
  const std::size_t k = info[1].As<Napi::Number>().Uint32Value();
  if (k < 1 || k > 256 || numbers.length < k || numbers.length - k > 256) throw Napi::RangeError::New(env, "wants 1 to 256 sources");
  const std::size_t wanted = numbers.length - k;
  const std::size_t source_blocks = info[2].As<Napi::Array>().Length();
  const std::size_t segments = source_blocks / k;
  if (source_blocks != segments * k || info[3].As<Napi::Array>().Length() != segments * wanted) {
    throw Napi::RangeError::New(env, "the counts of numbers and blocks differ");
  }
  const std::span<const std::uint8_t> source_numbers(numbers.data, k);
  const std::span<const std::uint8_t> wanted_numbers(numbers.data + k, wanted);
  check_numbers(env, source_numbers, "source");
  check_numbers(env, wanted_numbers, "wanted");

  Batch batch;
  const auto plan = plan_cache().get(source_numbers, wanted_numbers, isa::current());
  batch.works.resize(segments);
  for (std::size_t s = 0; s < segments; s++) {
    Regeneration& work = batch.works[s];
    work.plan = plan;
    std::optional<std::size_t> length;
    read_blocks(env, info[2], s * k, k, work.sources, length);
    read_blocks(env, info[3], s * wanted, wanted, work.outputs, length);
    work.length = *length;
  }
  if (outputs_overlap(batch.works)) throw Napi::RangeError::New(env, "an output overlaps a source or another output");
  if (info[4].IsString()) {
    const Bytes digests = bytes_of(env, info[5]);
    if (digests.length != segments * numbers.length * hash::digest_bytes) throw Napi::RangeError::New(env, "the digests have the wrong length");
    batch.digests = digests.data;
    batch.prefix = hash::netstring(info[4].As<Napi::String>().Utf8Value());
  }
  return batch;
}

codec::ThreadJobs& jobs_of(const Napi::CallbackInfo& info) { return *static_cast<codec::ThreadJobs*>(info.Data()); }

void regenerate(const Napi::CallbackInfo& info) { codec::run_batch(read_batch(info)); }

/**
 * As regenerate, with a last argument onSettled(cancelled). Gives the job's id; 0 where the queue is full; or -1 where it was
 * so little work that it is done already, and onSettled will not be called.
 */
Napi::Value start_regenerate(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!info[6].IsFunction()) throw Napi::TypeError::New(env, "wants a function to call when settled");
  Batch batch = read_batch(info);
  if (!batch.is_worth_a_thread()) {
    codec::run_batch(batch);
    return Napi::Number::New(env, -1);
  }
  Napi::Array buffers = Napi::Array::New(env, 3);
  buffers.Set(0u, info[2]);
  buffers.Set(1u, info[3]);
  buffers.Set(2u, info[5]);
  return Napi::Number::New(env, jobs_of(info).start(env, std::move(batch), buffers, info[6].As<Napi::Function>()));
}

void cancel_regenerate(const Napi::CallbackInfo& info) {
  if (!info[0].IsNumber()) throw Napi::TypeError::New(info.Env(), "wants an id");
  jobs_of(info).cancel(info[0].As<Napi::Number>().Uint32Value());
}

}  // namespace

void register_codec(Napi::Env env, Napi::Object exports) {
  auto* jobs = codec::ThreadJobs::create(env);
  exports.Set("regenerate", Napi::Function::New<regenerate>(env, "regenerate"));
  exports.Set("startRegenerate", Napi::Function::New<start_regenerate>(env, "startRegenerate", jobs));
  exports.Set("cancelRegenerate", Napi::Function::New<cancel_regenerate>(env, "cancelRegenerate", jobs));
}

}  // namespace meshward
