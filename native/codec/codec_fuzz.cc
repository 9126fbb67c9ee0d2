// The codec's border: any numbers, lengths and alignments, at any level, equal the scalar level and stay within their blocks
// (which are allocated to the byte, for AddressSanitizer to watch).

#include <cstdlib>
#include <cstring>
#include <memory>

#include "codec/regenerate.h"

using namespace meshward;

namespace {

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
  std::uint8_t byte() { return at_ < size_ ? data_[at_++] : static_cast<std::uint8_t>(at_++ * 31); }

 private:
  const std::uint8_t* data_;
  std::size_t size_;
  std::size_t at_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  const auto& levels = isa::supported();
  const std::uint8_t way = input.byte();
  const isa::Level level = levels[way % 128 % levels.size()];
  const bool is_consecutive = way >= 128;  // as encodings are, which have a way of their own through the kernels
  const std::size_t k = 1 + input.byte() % 40;
  const std::size_t r = input.byte() % 40;
  const std::size_t length_low = input.byte();
  const std::size_t length = (length_low | static_cast<std::size_t>(input.byte()) << 8) % 9000;
  const std::size_t offset = input.byte() % 64;
  const std::uint8_t first_source = input.byte();
  const std::uint8_t first_wanted = input.byte();

  std::vector<std::uint8_t> sources(k), wanted(r);
  for (std::size_t i = 0; i < k; i++) sources[i] = static_cast<std::uint8_t>(first_source + i * (is_consecutive ? 1 : 3));
  for (std::size_t j = 0; j < r; j++) wanted[j] = static_cast<std::uint8_t>(first_wanted + j * (is_consecutive ? 1 : 5));
  std::vector<std::unique_ptr<std::uint8_t[]>> memory;
  const auto block = [&] {
    memory.push_back(std::make_unique<std::uint8_t[]>(offset + length));
    return memory.back().get() + offset;
  };
  codec::Regeneration work;
  work.length = length;
  for (std::size_t i = 0; i < k; i++) {
    std::uint8_t* source = block();
    for (std::size_t c = 0; c < length; c++) source[c] = static_cast<std::uint8_t>(input.byte() ^ c * 7);
    work.sources.push_back(source);
  }
  std::vector<std::vector<std::uint8_t>> results[2];
  for (int pass = 0; pass < 2; pass++) {
    work.outputs.clear();
    for (std::size_t j = 0; j < r; j++) work.outputs.push_back(block());
    work.plan = std::make_shared<const codec::Plan>(sources, wanted, pass == 0 ? isa::Level::scalar : level);
    if (codec::outputs_overlap({work})) std::abort();
    codec::regenerate_columns(work, 0, length, nullptr);
    for (const auto* output : work.outputs) results[pass].emplace_back(output, output + length);
  }
  if (results[0] != results[1]) std::abort();
  return 0;
}
