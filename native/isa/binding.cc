#include "isa/isa.h"
#include "registration.h"

namespace meshward {
namespace {

Napi::Value isa_level(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), std::string(isa::name_of(isa::current())));
}

Napi::Value isa_levels_supported(const Napi::CallbackInfo& info) {
  const auto& levels = isa::supported();
  Napi::Array names = Napi::Array::New(info.Env(), levels.size());
  for (std::uint32_t i = 0; i < levels.size(); i++) names.Set(i, std::string(isa::name_of(levels[i])));
  return names;
}

/** useSha(used): false as on a processor without the SHA extensions. */
Napi::Value use_sha(const Napi::CallbackInfo& info) {
  if (!info[0].IsBoolean()) throw Napi::TypeError::New(info.Env(), "useSha wants true or false");
  isa::use_sha(info[0].As<Napi::Boolean>().Value());
  return info.Env().Undefined();
}

/** setIsaLevel(name): true, or false where this processor does not have the level. */
Napi::Value set_isa_level(const Napi::CallbackInfo& info) {
  if (!info[0].IsString()) throw Napi::TypeError::New(info.Env(), "setIsaLevel wants a name");
  const auto level = isa::level_named(info[0].As<Napi::String>().Utf8Value());
  if (!level || !isa::is_supported(*level)) return Napi::Boolean::New(info.Env(), false);
  isa::set(*level);
  return Napi::Boolean::New(info.Env(), true);
}

}  // namespace

void register_isa(Napi::Env env, Napi::Object exports) {
  exports.Set("isaLevel", Napi::Function::New(env, isa_level, "isaLevel"));
  exports.Set("isaLevelsSupported", Napi::Function::New(env, isa_levels_supported, "isaLevelsSupported"));
  exports.Set("setIsaLevel", Napi::Function::New(env, set_isa_level, "setIsaLevel"));
  exports.Set("useSha", Napi::Function::New(env, use_sha, "useSha"));
}

}  // namespace meshward
