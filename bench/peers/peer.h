#pragma once
// What a peer's library offers to driver.cc. One coder is made for a case and run many times.

#include <stddef.h>
#include <stdint.h>

extern "C" {

struct PeerCase {
  size_t k;
  size_t n;
  const uint8_t* source_numbers;  // k
  const uint8_t* wanted_numbers;  // wanted_count
  size_t wanted_count;
  const uint8_t* rows;  // wanted_count × k weights of our code: ISA-L computes what rows it is given
  size_t length;
  const uint8_t* present;  // n flags: the shares that are there (a repair has more than k of them)
  uint8_t avx2_only;       // not 0: nothing newer than AVX2, whatever the processor has
};

/** Null where the peer's code cannot do the case. */
typedef void* (*PeerCreate)(const struct PeerCase*);
/** `shares`: n blocks; those present are read, the wanted ones written (or left in the peer's own memory). */
typedef int (*PeerRun)(void* coder, uint8_t* const* shares);
typedef void (*PeerDestroy)(void* coder);

}
