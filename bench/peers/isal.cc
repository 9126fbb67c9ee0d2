// ISA-L behind peer.h: at the best level of this processor, as it chooses that itself, or its AVX2 code by name.

#include "peer.h"

#include <vector>

extern "C" {
#include "erasure_code.h"
// As erasure_code.h declares them for the levels it chooses from.
void ec_init_tables_base(int k, int rows, unsigned char* weights, unsigned char* tables);
#if defined(__x86_64__)
void ec_encode_data_avx2(int length, int k, int rows, unsigned char* tables, unsigned char** sources, unsigned char** outputs);
#endif
}

namespace {

using Encode = void (*)(int, int, int, unsigned char*, unsigned char**, unsigned char**);

struct Coder {
  Encode encode;
  size_t length;
  std::vector<size_t> source_numbers, wanted_numbers;
  std::vector<unsigned char> tables;
  std::vector<unsigned char*> sources, outputs;
};

}  // namespace

extern "C" {

void* isal_create(const PeerCase* arguments) {
  auto* coder = new Coder{ec_encode_data, arguments->length, {}, {}, {}, {}, {}};
  coder->source_numbers.assign(arguments->source_numbers, arguments->source_numbers + arguments->k);
  coder->wanted_numbers.assign(arguments->wanted_numbers, arguments->wanted_numbers + arguments->wanted_count);
  coder->tables.resize(32 * arguments->k * arguments->wanted_count);
  coder->sources.resize(arguments->k);
  coder->outputs.resize(arguments->wanted_count);
  auto* init = ec_init_tables;
#if defined(__x86_64__)
  if (arguments->avx2_only) {
    // What chooses for itself makes tables for the instructions it chose.
    init = ec_init_tables_base;
    coder->encode = ec_encode_data_avx2;
  }
#endif
  init(static_cast<int>(arguments->k), static_cast<int>(arguments->wanted_count), const_cast<unsigned char*>(arguments->rows), coder->tables.data());
  return coder;
}

int isal_run(void* opaque, uint8_t* const* shares) {
  auto* coder = static_cast<Coder*>(opaque);
  for (size_t i = 0; i < coder->sources.size(); i++) coder->sources[i] = shares[coder->source_numbers[i]];
  for (size_t j = 0; j < coder->outputs.size(); j++) coder->outputs[j] = shares[coder->wanted_numbers[j]];
  coder->encode(static_cast<int>(coder->length), static_cast<int>(coder->sources.size()), static_cast<int>(coder->outputs.size()),
                coder->tables.data(), coder->sources.data(), coder->outputs.data());
  return 0;
}

void isal_destroy(void* opaque) { delete static_cast<Coder*>(opaque); }

}
