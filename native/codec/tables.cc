// The tables that kernels multiply by; here and not in the kernel files, so that any processor can run this code.

#include "codec/field.h"
#include "codec/kernel.h"

namespace meshward::codec {

void fill_product_table(uint8_t weight, void* entry) {
  auto* products = static_cast<uint8_t*>(entry);
  for (unsigned value = 0; value < 256; value++) products[value] = multiply(weight, static_cast<uint8_t>(value));
}

void fill_nibble_table(uint8_t weight, void* entry) {
  auto* products = static_cast<uint8_t*>(entry);
  for (unsigned nibble = 0; nibble < 16; nibble++) {
    products[nibble] = multiply(weight, static_cast<uint8_t>(nibble));
    products[nibble + 16] = multiply(weight, static_cast<uint8_t>(nibble << 4));
  }
}

// Row b of the matrix (byte 7 - b) selects the bits of the value whose products with the weight have bit b.
void fill_affine_table(uint8_t weight, void* entry) {
  uint64_t matrix = 0;
  for (unsigned bit = 0; bit < 8; bit++) {
    const uint8_t product = multiply(weight, static_cast<uint8_t>(1u << bit));
    for (unsigned row = 0; row < 8; row++) {
      if (product & (1u << row)) matrix |= uint64_t{1} << ((7 - row) * 8 + bit);
    }
  }
  *static_cast<uint64_t*>(entry) = matrix;
}

}  // namespace meshward::codec
