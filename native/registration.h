#pragma once
// Each part of the addon puts its functions on `exports` here; addon.cc calls those whose folder has a binding.cc.

#include <napi.h>

namespace meshward {

void register_isa(Napi::Env env, Napi::Object exports);
void register_codec(Napi::Env env, Napi::Object exports);
void register_hash(Napi::Env env, Napi::Object exports);
void register_disk(Napi::Env env, Napi::Object exports);
void register_share_map(Napi::Env env, Napi::Object exports);

}  // namespace meshward
