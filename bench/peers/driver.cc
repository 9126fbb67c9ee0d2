// Measures this codec and its peers in one run: every round lets each of them do the case once, in some order, on the same
// blocks, and counts the thread's processor time. Cases come as lines on standard input:
//   k n missing length alignment level milliseconds      (missing = 0: encode; alignment: staggered | node; level: ours, as
// MESHWARD_ISA names them; with avx2 the peers use nothing newer either)
// and each gives one line of JSON: the peers' samples as nanoseconds a run.
// Arguments: name=library.so for each peer.

#include <dlfcn.h>
#include <sys/mman.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <numeric>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "codec/regenerate.h"
#include "codec/weights.h"
#include "isa/isa.h"
#include "peer.h"

using namespace meshward;

namespace {

struct Peer {
  std::string name;
  PeerCreate create;
  PeerRun run;
  PeerDestroy destroy;
};

struct Ours {
  codec::Regeneration work;
  std::vector<uint8_t> sources;
  std::vector<uint8_t> wanted;
};

void* ours_create(const PeerCase* arguments) {
  auto* ours = new Ours;
  ours->sources.assign(arguments->source_numbers, arguments->source_numbers + arguments->k);
  ours->wanted.assign(arguments->wanted_numbers, arguments->wanted_numbers + arguments->wanted_count);
  ours->work.plan = std::make_shared<codec::Plan>(ours->sources, ours->wanted, isa::current());
  ours->work.length = arguments->length;
  return ours;
}

int ours_run(void* coder, uint8_t* const* shares) {
  auto* ours = static_cast<Ours*>(coder);
  ours->work.sources.clear();
  ours->work.outputs.clear();
  for (uint8_t number : ours->sources) ours->work.sources.push_back(shares[number]);
  for (uint8_t number : ours->wanted) ours->work.outputs.push_back(shares[number]);
  codec::regenerate_columns(ours->work, 0, ours->work.length, nullptr);
  return 0;
}

void ours_destroy(void* coder) { delete static_cast<Ours*>(coder); }

/**
 * No code at all, and the least that any code moves: every source block is read once and every wanted one written once, in
 * tiles of a page. Says how far memory and caches, and not the products, set the speed of a case.
 */
struct Moving {
  std::vector<uint8_t> sources;
  std::vector<uint8_t> wanted;
  size_t length;
};

void* moving_create(const PeerCase* arguments) {
  return new Moving{{arguments->source_numbers, arguments->source_numbers + arguments->k},
                    {arguments->wanted_numbers, arguments->wanted_numbers + arguments->wanted_count},
                    arguments->length};
}

/** With registers of 64 bytes. */
void* xor_create(const PeerCase* arguments) { return arguments->avx2_only ? nullptr : moving_create(arguments); }

int moving_run(void* coder, uint8_t* const* shares) {
  const auto* moving = static_cast<const Moving*>(coder);
  alignas(64) uint8_t tile[4096];
  for (size_t at = 0; at < moving->length; at += sizeof tile) {
    const size_t bytes = std::min(sizeof tile, moving->length - at);
    for (uint8_t number : moving->sources) memcpy(tile, shares[number] + at, bytes);
    for (uint8_t number : moving->wanted) memcpy(shares[number] + at, tile, bytes);
    asm volatile("" : : "r"(tile) : "memory");
  }
  return 0;
}

/** As moving, 256 columns at a time and nothing between: the xor of all sources goes to every output. */
#if defined(__x86_64__)
__attribute__((target("avx512f")))
#endif
int xor_run(void* coder, uint8_t* const* shares) {
  const auto* moving = static_cast<const Moving*>(coder);
  typedef uint64_t Vector __attribute__((vector_size(64), aligned(8), may_alias));
  for (size_t at = 0; at + 256 <= moving->length; at += 256) {
    Vector a{}, b{}, c{}, d{};
    for (uint8_t number : moving->sources) {
      const Vector* from = reinterpret_cast<const Vector*>(shares[number] + at);
      a ^= from[0];
      b ^= from[1];
      c ^= from[2];
      d ^= from[3];
    }
    for (uint8_t number : moving->wanted) {
      Vector* to = reinterpret_cast<Vector*>(shares[number] + at);
      to[0] = a;
      to[1] = b;
      to[2] = c;
      to[3] = d;
    }
  }
  return 0;
}

void moving_destroy(void* coder) { delete static_cast<Moving*>(coder); }

uint64_t thread_nanoseconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

/** n blocks with the addresses that the alignment asks for. */
class Blocks {
 public:
  Blocks(size_t count, size_t length, const std::string& alignment) {
    const size_t pages = (length + 8191) / 4096 * 4096 + 4096;
    bytes_ = count * pages + 4096;
    memory_ = static_cast<uint8_t*>(mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (memory_ == MAP_FAILED) abort();
    madvise(memory_, bytes_, MADV_NOHUGEPAGE);
    for (size_t i = 0; i < count; i++) {
      // Node: a large Buffer comes from mmap, 16 bytes into a page. Staggered: 64-byte aligned, spread over the page.
      const size_t offset = alignment == "node" ? 16 : (i * 37 % 64) * 64;
      blocks_.push_back(memory_ + i * pages + offset);
    }
    std::mt19937_64 random(7);
    for (size_t i = 0; i + 8 <= bytes_; i += 8) {
      const uint64_t value = random();
      memcpy(memory_ + i, &value, 8);
    }
  }
  Blocks(const Blocks&) = delete;
  Blocks& operator=(const Blocks&) = delete;
  ~Blocks() { munmap(memory_, bytes_); }
  uint8_t* const* data() const { return blocks_.data(); }

 private:
  uint8_t* memory_;
  size_t bytes_;
  std::vector<uint8_t*> blocks_;
};

struct Shape {
  size_t k, n, missing, length;
  std::string alignment;
  isa::Level level;
  double milliseconds;
};

/** Which shares are there and which are wanted; the same for every run. */
struct Numbers {
  std::vector<uint8_t> present, sources, wanted, rows;

  explicit Numbers(const Shape& shape) : present(shape.n, 0) {
    std::vector<uint8_t> order(shape.n);
    std::iota(order.begin(), order.end(), 0);
    if (shape.missing == 0) {
      wanted.assign(order.begin() + static_cast<long>(shape.k), order.end());
    } else {
      std::mt19937 random(11);
      std::shuffle(order.begin(), order.end(), random);
      wanted.assign(order.begin(), order.begin() + static_cast<long>(shape.missing));
    }
    std::sort(wanted.begin(), wanted.end());
    for (size_t i = 0; i < shape.n; i++) {
      present[i] = !std::binary_search(wanted.begin(), wanted.end(), static_cast<uint8_t>(i));
      if (present[i] && sources.size() < shape.k) sources.push_back(static_cast<uint8_t>(i));
    }
    rows = codec::lagrange_weights(sources, wanted);
  }
};

void measure(const Shape& shape, const std::vector<Peer>& peers) {
  const Numbers numbers(shape);
  const Blocks blocks(shape.n, shape.length, shape.alignment);
  const PeerCase arguments{shape.k,        shape.n,             numbers.sources.data(), numbers.wanted.data(), numbers.wanted.size(),
                           numbers.rows.data(), shape.length, numbers.present.data(),
                           shape.level == isa::Level::avx2};
  isa::set(shape.level);
  std::vector<void*> coders;
  std::vector<std::vector<double>> samples(peers.size());
  std::vector<size_t> repeats(peers.size(), 1);
  std::vector<std::vector<uint8_t>> expected;
  std::string unequal;
  for (size_t p = 0; p < peers.size(); p++) {
    coders.push_back(peers[p].create(&arguments));
    if (coders[p] == nullptr) continue;
    if (peers[p].run(coders[p], blocks.data()) != 0) {
      fprintf(stderr, "%s failed\n", peers[p].name.c_str());
      coders[p] = nullptr;
      continue;
    }
    // The peers of the same code must give the same bytes; the first of them is ours.
    if (p == 0) {
      for (uint8_t number : numbers.wanted) expected.emplace_back(blocks.data()[number], blocks.data()[number] + shape.length);
    } else if (peers[p].name == "isal" || peers[p].name == "zfec") {
      for (size_t w = 0; w < numbers.wanted.size(); w++) {
        if (memcmp(expected[w].data(), blocks.data()[numbers.wanted[w]], shape.length) != 0) unequal = peers[p].name;
      }
    }
    const uint64_t begin = thread_nanoseconds();
    peers[p].run(coders[p], blocks.data());
    const uint64_t once = std::max<uint64_t>(1, thread_nanoseconds() - begin);
    repeats[p] = std::clamp<size_t>(2'000'000 / once, 1, 1000);
  }
  // zfec takes its time in three rounds; the others then have theirs.
  std::vector<size_t> order(peers.size());
  std::iota(order.begin(), order.end(), 0);
  std::mt19937 shuffling(5);
  uint64_t deadline = 0;
  for (size_t round = 0; round < 11 || thread_nanoseconds() < deadline; round++) {
    if (round == 3) deadline = thread_nanoseconds() + static_cast<uint64_t>(shape.milliseconds * 1e6);
    // In another order each round: who comes after a library that collects its garbage shares cores and caches with that.
    std::shuffle(order.begin(), order.end(), shuffling);
    for (const size_t p : order) {
      if (coders[p] == nullptr || (peers[p].name == "zfec" && round >= 3)) continue;
      peers[p].run(coders[p], blocks.data());  // each begins with the caches as it leaves them itself
      const uint64_t begin = thread_nanoseconds();
      for (size_t i = 0; i < repeats[p]; i++) peers[p].run(coders[p], blocks.data());
      samples[p].push_back(static_cast<double>(thread_nanoseconds() - begin) / static_cast<double>(repeats[p]));
    }
  }
  printf("{\"unequal\":\"%s\"", unequal.c_str());
  for (size_t p = 0; p < peers.size(); p++) {
    if (coders[p] == nullptr) continue;
    peers[p].destroy(coders[p]);
    std::sort(samples[p].begin(), samples[p].end());
    const auto at = [&](double q) { return samples[p][static_cast<size_t>(q * static_cast<double>(samples[p].size() - 1))]; };
    printf(",\"%s\":{\"median\":%.1f,\"p10\":%.1f,\"p90\":%.1f,\"runs\":%zu}", peers[p].name.c_str(), at(0.5), at(0.1), at(0.9), samples[p].size());
  }
  printf("}\n");
  fflush(stdout);
}

}  // namespace

int main(int count, char** arguments) {
  std::vector<Peer> peers{{"ours", ours_create, ours_run, ours_destroy}, {"memcpy", moving_create, moving_run, moving_destroy}};
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) peers.push_back({"xor", xor_create, xor_run, moving_destroy});
#endif
  for (int i = 1; i < count; i++) {
    const std::string argument = arguments[i];
    const std::string name = argument.substr(0, argument.find('='));
    void* library = dlopen(argument.substr(name.size() + 1).c_str(), RTLD_NOW);
    if (library == nullptr) {
      fprintf(stderr, "%s\n", dlerror());
      return 1;
    }
    const auto symbol = [&](const char* what) { return dlsym(library, (name + what).c_str()); };
    peers.push_back({name, reinterpret_cast<PeerCreate>(symbol("_create")), reinterpret_cast<PeerRun>(symbol("_run")),
                     reinterpret_cast<PeerDestroy>(symbol("_destroy"))});
  }
  std::string line;
  while (std::getline(std::cin, line)) {
    std::istringstream fields(line);
    Shape shape;
    std::string level;
    if (!(fields >> shape.k >> shape.n >> shape.missing >> shape.length >> shape.alignment >> level >> shape.milliseconds)) continue;
    const auto named = isa::level_named(level);
    if (!named || !isa::is_supported(*named)) return 1;
    shape.level = *named;
    measure(shape, peers);
  }
}
