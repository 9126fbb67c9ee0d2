// doubleHash(tag or null, blocks, out), blockHashes(tag, data, blockBytes, out), hashTree(leaves, out), pairHash(a, b, out).
// Outputs are given by the caller; hash.ts is the typed front.

#include <string>
#include <vector>

#include "bytes.h"
#include "hash/tagged.h"
#include "hash/tree.h"
#include "registration.h"

namespace meshward {
namespace {

using hash::digest_bytes;

void check_length(const Napi::Env env, const Bytes& bytes, std::size_t length) {
  if (bytes.length != length) throw Napi::RangeError::New(env, "wants " + std::to_string(length) + " bytes, got " + std::to_string(bytes.length));
}

/** The tag's netstring; a null tag is no prefix at all. */
std::string prefix_of(const Napi::Value& tag) {
  if (tag.IsNull()) return {};
  if (!tag.IsString()) throw Napi::TypeError::New(tag.Env(), "the tag is not a string");
  const std::string text = tag.As<Napi::String>().Utf8Value();
  if (text.size() > 128) throw Napi::RangeError::New(tag.Env(), "the tag is longer than 128 bytes");
  return hash::netstring(text);
}

void double_hash(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string prefix = prefix_of(info[0]);
  if (!info[1].IsArray()) throw Napi::TypeError::New(env, "wants an array of blocks");
  const Napi::Array blocks = info[1].As<Napi::Array>();
  std::vector<hash::Message> messages(blocks.Length());
  for (std::uint32_t i = 0; i < messages.size(); i++) {
    napi_value value;
    if (napi_get_element(env, blocks, i, &value) != napi_ok) throw Napi::Error::New(env);
    const Bytes block = bytes_of(env, value);
    messages[i] = {block.data, block.length};
  }
  const Bytes digests = bytes_of(env, info[2]);
  check_length(env, digests, messages.size() * digest_bytes);
  hash::double_hash(prefix, messages, digests.data);
}

void block_hashes(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string prefix = prefix_of(info[0]);
  const Bytes data = bytes_of(env, info[1]);
  const double wanted = info[2].IsNumber() ? info[2].As<Napi::Number>().DoubleValue() : 0;
  if (!(wanted >= 1 && wanted <= 9007199254740991.0)) throw Napi::RangeError::New(env, "the block size is not a positive number");
  const auto block_bytes = static_cast<std::size_t>(wanted);
  const std::size_t count = data.length / block_bytes + (data.length % block_bytes != 0);
  std::vector<hash::Message> messages(count);
  for (std::size_t i = 0; i < count; i++) {
    messages[i] = {data.data + i * block_bytes, std::min(block_bytes, data.length - i * block_bytes)};
  }
  const Bytes digests = bytes_of(env, info[3]);
  check_length(env, digests, count * digest_bytes);
  hash::double_hash(prefix, messages, digests.data);
}

void hash_tree(const Napi::CallbackInfo& info) {
  const Bytes leaves = bytes_of(info.Env(), info[0]);
  if (leaves.length % digest_bytes != 0) throw Napi::RangeError::New(info.Env(), "leaves are 32 bytes each");
  const std::size_t leaf_count = leaves.length / digest_bytes;
  const Bytes nodes = bytes_of(info.Env(), info[1]);
  check_length(info.Env(), nodes, (2 * hash::padded_leaf_count(leaf_count) - 1) * digest_bytes);
  hash::hash_tree(leaves.data, leaf_count, nodes.data);
}

void pair_hash(const Napi::CallbackInfo& info) {
  Bytes arguments[3];
  for (std::size_t i = 0; i < 3; i++) {
    arguments[i] = bytes_of(info.Env(), info[i]);
    check_length(info.Env(), arguments[i], digest_bytes);
  }
  hash::pair_hash(arguments[0].data, arguments[1].data, arguments[2].data);
}

}  // namespace

void register_hash(Napi::Env env, Napi::Object exports) {
  exports.Set("doubleHash", Napi::Function::New<double_hash>(env, "doubleHash"));
  exports.Set("blockHashes", Napi::Function::New<block_hashes>(env, "blockHashes"));
  exports.Set("hashTree", Napi::Function::New<hash_tree>(env, "hashTree"));
  exports.Set("pairHash", Napi::Function::New<pair_hash>(env, "pairHash"));
}

}  // namespace meshward
