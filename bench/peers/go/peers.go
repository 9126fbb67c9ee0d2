// klauspost/reedsolomon, its default code and leopard, behind the interface of ../peer.h.
package main

/*
#include <stddef.h>
#include <stdint.h>

struct PeerCase {
  size_t k;
  size_t n;
  const uint8_t* source_numbers;
  const uint8_t* wanted_numbers;
  size_t wanted_count;
  const uint8_t* rows;
  size_t length;
  const uint8_t* present;
  uint8_t avx2_only;
};
*/
import "C"

import (
	"unsafe"

	"github.com/klauspost/reedsolomon"
)

type coder struct {
	encoder  reedsolomon.Encoder
	k, n     int
	length   int
	encode   bool
	present  []bool
	required []bool
}

var coders = map[uintptr]*coder{}
var lastID uintptr

func create(arguments *C.struct_PeerCase, options ...reedsolomon.Option) unsafe.Pointer {
	k, n := int(arguments.k), int(arguments.n)
	if arguments.avx2_only != 0 {
		options = append(options, reedsolomon.WithAVX512(false), reedsolomon.WithGFNI(false), reedsolomon.WithAVXGFNI(false))
	}
	encoder, err := reedsolomon.New(k, n-k, append(options, reedsolomon.WithMaxGoroutines(1), reedsolomon.WithAutoGoroutines(0))...)
	if err != nil {
		return nil
	}
	made := &coder{encoder: encoder, k: k, n: n, length: int(arguments.length), encode: true, present: make([]bool, n), required: make([]bool, n)}
	for i, flag := range unsafe.Slice((*byte)(arguments.present), n) {
		made.present[i] = flag != 0
		// An encoding: the data is there and all else is wanted.
		made.encode = made.encode && made.present[i] == (i < k)
	}
	for _, number := range unsafe.Slice((*byte)(arguments.wanted_numbers), int(arguments.wanted_count)) {
		made.required[number] = true
	}
	lastID++
	coders[lastID] = made
	return unsafe.Pointer(lastID) //nolint:govet // an opaque id, never dereferenced
}

//export klauspost_create
func klauspost_create(arguments *C.struct_PeerCase) unsafe.Pointer { return create(arguments) }

//export leopard_create
func leopard_create(arguments *C.struct_PeerCase) unsafe.Pointer {
	if arguments.length%64 != 0 {
		return nil
	}
	return create(arguments, reedsolomon.WithLeopardGF(true))
}

func run(id unsafe.Pointer, shares **C.uint8_t) C.int {
	c := coders[uintptr(id)]
	pointers := unsafe.Slice(shares, c.n)
	blocks := make([][]byte, c.n)
	for i := range blocks {
		blocks[i] = unsafe.Slice((*byte)(unsafe.Pointer(pointers[i])), c.length)
		if !c.present[i] && !c.encode {
			blocks[i] = blocks[i][:0] // missing, with memory to restore it in
		}
	}
	var err error
	if c.encode {
		err = c.encoder.Encode(blocks)
	} else {
		err = c.encoder.ReconstructSome(blocks, c.required)
		if err == reedsolomon.ErrNotSupported {
			err = c.encoder.Reconstruct(blocks)
		}
	}
	if err != nil {
		return 1
	}
	return 0
}

//export klauspost_run
func klauspost_run(id unsafe.Pointer, shares **C.uint8_t) C.int { return run(id, shares) }

//export leopard_run
func leopard_run(id unsafe.Pointer, shares **C.uint8_t) C.int { return run(id, shares) }

//export klauspost_destroy
func klauspost_destroy(id unsafe.Pointer) { delete(coders, uintptr(id)) }

//export leopard_destroy
func leopard_destroy(id unsafe.Pointer) { delete(coders, uintptr(id)) }

func main() {}
