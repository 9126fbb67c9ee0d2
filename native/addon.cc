// The addon's entry. Context aware: what belongs to one JavaScript thread is kept by its environment, never in a global.

#include "registration.h"

static Napi::Object Init(Napi::Env env, Napi::Object exports) {
  meshward::register_isa(env, exports);
#ifdef MESHWARD_WITH_CODEC
  meshward::register_codec(env, exports);
#endif
#ifdef MESHWARD_WITH_HASH
  meshward::register_hash(env, exports);
#endif
#ifdef MESHWARD_WITH_DISK
  meshward::register_disk(env, exports);
#endif
#ifdef MESHWARD_WITH_SHARE_MAP
  meshward::register_share_map(env, exports);
#endif
  return exports;
}

NODE_API_MODULE(meshward, Init)
