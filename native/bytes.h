#pragma once

#include <napi.h>

#include <cstddef>
#include <cstdint>

namespace meshward {

struct Bytes {
  std::uint8_t* data;
  std::size_t length;
};

/** The memory of a Uint8Array (a Buffer is one). Valid until the next call into JavaScript. @throws TypeError */
inline Bytes bytes_of(napi_env env, napi_value value) {
  napi_typedarray_type type;
  std::size_t length = 0;
  void* data = nullptr;
  const napi_status status = napi_get_typedarray_info(env, value, &type, &length, &data, nullptr, nullptr);
  if (status != napi_ok || type != napi_uint8_array) throw Napi::TypeError::New(env, "not a Uint8Array");
  return {static_cast<std::uint8_t*>(data), length};
}

}  // namespace meshward
