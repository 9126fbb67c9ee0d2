#pragma once
// Columns over the border: JavaScript's typed arrays in, C++ vectors out. Their types are checked here, all else in border.cc.

#include <napi.h>

#include <cmath>
#include <cstring>
#include <span>
#include <string>
#include <vector>

namespace meshward::share_map {

template <class T>
struct TypedArrayTypes;
template <>
struct TypedArrayTypes<std::uint8_t> {
  static constexpr napi_typedarray_type type = napi_uint8_array;
  static constexpr const char* name = "Uint8Array";
};
template <>
struct TypedArrayTypes<std::uint16_t> {
  static constexpr napi_typedarray_type type = napi_uint16_array;
  static constexpr const char* name = "Uint16Array";
};
template <>
struct TypedArrayTypes<std::uint32_t> {
  static constexpr napi_typedarray_type type = napi_uint32_array;
  static constexpr const char* name = "Uint32Array";
};
template <>
struct TypedArrayTypes<double> {
  static constexpr napi_typedarray_type type = napi_float64_array;
  static constexpr const char* name = "Float64Array";
};

/** @throws TypeError */
template <class T>
std::span<const T> column_of(const Napi::Value& value, const char* what) {
  napi_typedarray_type type;
  std::size_t length = 0;
  void* data = nullptr;
  const napi_status status = napi_get_typedarray_info(value.Env(), value, &type, &length, &data, nullptr, nullptr);
  if (status != napi_ok || type != TypedArrayTypes<T>::type) {
    napi_value ignored;
    napi_get_and_clear_last_exception(value.Env(), &ignored);
    throw Napi::TypeError::New(value.Env(), std::string(what) + " are not a " + TypedArrayTypes<T>::name);
  }
  return {static_cast<const T*>(data), length};
}

/** @throws RangeError where it is no whole number from 0 to `most`. */
inline std::uint32_t whole_of(const Napi::Value& value, const char* what, double most = 4294967295.0) {
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
  if (number >= 0 && number <= most && std::floor(number) == number) return static_cast<std::uint32_t>(number);
  throw Napi::RangeError::New(value.Env(), std::string(what) + " is not a whole number from 0 to " + std::to_string(static_cast<std::uint64_t>(most)));
}

/** @throws RangeError where it is no number (infinity is one, NaN is none). */
inline double number_of(const Napi::Value& value, const char* what) {
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : std::nan("");
  if (!std::isnan(number)) return number;
  throw Napi::RangeError::New(value.Env(), std::string(what) + " is not a number");
}

/**
 * A typed array with a copy. Not over the vector's own memory: what native code hands over is given back only when the event
 * loop comes round, so a long loop of calls would pile it up.
 */
template <class T>
Napi::Value give_column(Napi::Env env, const std::vector<T>& values) {
  napi_value buffer;
  void* data;
  const std::size_t bytes = values.size() * sizeof(T);
  NAPI_THROW_IF_FAILED(env, napi_create_arraybuffer(env, bytes, &data, &buffer), Napi::Value());
  if (bytes > 0) std::memcpy(data, values.data(), bytes);
  napi_value array;
  NAPI_THROW_IF_FAILED(env, napi_create_typedarray(env, TypedArrayTypes<T>::type, values.size(), buffer, 0, &array), Napi::Value());
  return Napi::Value(env, array);
}

}  // namespace meshward::share_map
