// zfec's own C code (from its source distribution) behind peer.h: decode to the data, then encode the other wanted shares,
// which is how zfec and Tahoe-LAFS repair.

#include "peer.h"

#include <vector>

extern "C" {
#define restrict __restrict__
#include "fec.h"
#undef restrict
}

namespace {

struct Coder {
  fec_t* code;
  size_t k;
  size_t length;
  std::vector<size_t> sources_by_slot;      // data in their own slots, the rest in the gaps, as fec_decode wants them
  std::vector<unsigned> numbers_by_slot;
  std::vector<size_t> absent_data;
  std::vector<unsigned> wanted_parity;
  std::vector<std::vector<uint8_t>> scratch;  // data that is decoded and not wanted
  std::vector<bool> is_wanted;
};

}  // namespace

extern "C" {

void* zfec_create(const PeerCase* arguments) {
  // What it does at 64 KiB it does at a mebibyte too, for seconds.
  if (arguments->length > 65536) return nullptr;
  fec_init();
  auto* coder = new Coder{fec_new(arguments->k, arguments->n), arguments->k, arguments->length, {}, {}, {}, {}, {}, {}};
  coder->is_wanted.resize(arguments->n);
  for (size_t w = 0; w < arguments->wanted_count; w++) {
    coder->is_wanted[arguments->wanted_numbers[w]] = true;
    if (arguments->wanted_numbers[w] >= arguments->k) coder->wanted_parity.push_back(arguments->wanted_numbers[w]);
  }
  coder->sources_by_slot.assign(arguments->k, SIZE_MAX);
  for (size_t i = 0; i < arguments->k; i++) {
    if (arguments->source_numbers[i] < arguments->k) coder->sources_by_slot[arguments->source_numbers[i]] = arguments->source_numbers[i];
  }
  size_t next = 0;
  for (size_t slot = 0; slot < arguments->k; slot++) {
    if (coder->sources_by_slot[slot] == SIZE_MAX) {
      while (arguments->source_numbers[next] < arguments->k) next++;
      coder->sources_by_slot[slot] = arguments->source_numbers[next++];
      coder->absent_data.push_back(slot);
    }
    coder->numbers_by_slot.push_back(static_cast<unsigned>(coder->sources_by_slot[slot]));
  }
  coder->scratch.resize(arguments->k);
  for (size_t slot : coder->absent_data) coder->scratch[slot].resize(arguments->length);
  return coder;
}

int zfec_run(void* opaque, uint8_t* const* shares) {
  auto* coder = static_cast<Coder*>(opaque);
  std::vector<const uint8_t*> sources(coder->k);
  std::vector<const uint8_t*> data(coder->k);
  for (size_t slot = 0; slot < coder->k; slot++) sources[slot] = data[slot] = shares[coder->sources_by_slot[slot]];
  if (!coder->absent_data.empty()) {
    std::vector<uint8_t*> decoded;
    for (size_t slot : coder->absent_data) {
      decoded.push_back(coder->is_wanted[slot] ? shares[slot] : coder->scratch[slot].data());
      data[slot] = decoded.back();
    }
    fec_decode(coder->code, sources.data(), decoded.data(), coder->numbers_by_slot.data(), coder->length);
  }
  std::vector<uint8_t*> parity;
  for (unsigned number : coder->wanted_parity) parity.push_back(shares[number]);
  fec_encode(coder->code, data.data(), parity.data(), coder->wanted_parity.data(), parity.size(), coder->length);
  return 0;
}

void zfec_destroy(void* opaque) {
  auto* coder = static_cast<Coder*>(opaque);
  fec_free(coder->code);
  delete coder;
}

}
