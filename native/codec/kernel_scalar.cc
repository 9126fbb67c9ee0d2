#include "codec/kernel.h"

namespace meshward::codec {
namespace {

void run_scalar(const KernelCall& call) {
  const auto* tables = static_cast<const uint8_t*>(call.tables);
  for (size_t j = 0; j < call.output_count; j++) {
    uint8_t* output = call.outputs[j];
    for (size_t i = 0; i < call.source_count; i++) {
      const uint8_t* products = tables + (i * call.output_count + j) * 256;
      const uint8_t* source = call.sources[i];
      if (i == 0) {
        for (size_t c = call.begin; c < call.end; c++) output[c] = products[source[c]];
      } else {
        for (size_t c = call.begin; c < call.end; c++) output[c] ^= products[source[c]];
      }
    }
  }
}

}  // namespace

const Kernel scalar_kernel{256, fill_product_table, run_scalar, 4096, 500};

}  // namespace meshward::codec
