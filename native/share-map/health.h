#pragma once
// The health of one file: a function of its row and the peers' tables.

#include <array>
#include <bitset>
#include <memory>
#include <vector>

#include "share-map/count_shares.h"
#include "share-map/peers.h"
#include "share-map/slab.h"

namespace meshward::share_map {

/** What files of one coding, tag, origin and policy have in common. */
struct FileClass {
  std::uint32_t k;
  std::uint32_t n;
  std::uint32_t repair_below;
  std::uint32_t policy;  // files are counted by it
  bool by_owner;
};

/** Classes by number. Only grows, and never moves: sweeps read it while the map's own thread adds to it. */
class FileClasses {
 public:
  static constexpr std::uint32_t most = 1u << 20;

  const FileClass& operator[](std::uint32_t number) const { return (*parts_[number / part_size])[number % part_size]; }
  std::uint32_t count() const { return count_; }
  std::uint32_t add(const FileClass& file_class) {
    auto& part = parts_[count_ / part_size];
    if (!part) part = std::make_unique<Part>();
    (*part)[count_ % part_size] = file_class;
    return count_++;
  }

 private:
  static constexpr std::uint32_t part_size = 1024;
  using Part = std::array<FileClass, part_size>;
  std::array<std::unique_ptr<Part>, most / part_size> parts_;
  std::uint32_t count_ = 0;
};

constexpr std::uint16_t no_tolerance = 0xffff;

struct Health {
  std::uint32_t available = 0;
  std::uint32_t counted = 0;
  std::uint32_t retained = 0;
  std::uint32_t corrupt = 0;
  std::uint32_t distinct_peers = 0;
  std::uint32_t happiness = 0;
  std::uint32_t tolerance_peers = 0;
  /** Thousandths of a share: of each available share the confidence in the most trusted peer that has it, added up. */
  std::uint32_t expected = 0;
  std::array<std::uint16_t, most_kinds> tolerance{};  // by kind; no_tolerance where no holder names one

  /**
   * 30 bits: available and counted as they are, and 12 bits over the rest in which any one figure's change shows. Two that
   * change together, with the same available and counted shares, are taken for no change once in 4,096.
   */
  std::uint32_t digest(std::uint32_t kinds) const;
};

/** For each peer and each domain of all kinds: files that its loss would take below k, or below the repair threshold. */
struct Exposure {
  std::vector<std::uint32_t> peers_below_k, peers_below_repair, domains_below_k, domains_below_repair;

  explicit Exposure(const PeerTables& tables)
      : peers_below_k(tables.capacity), peers_below_repair(tables.capacity), domains_below_k(tables.all_domains), domains_below_repair(tables.all_domains) {}
  void add(const Exposure& other);
};

/** Works out files one after another, with scratch memory of its own: one for each thread. */
class Examiner {
 public:
  Examiner(const PeerTables& tables, const CountKernels& kernels);

  /** Also finds out whether the row is plain, and notes it there. @param exposure may be null. */
  void examine(Slab& slab, std::uint32_t place, const FileClass& file_class, Health& health, Exposure* exposure);

 private:
  struct Held {
    std::uint32_t share;
    std::uint32_t peer;
  };
  void learn_structure(Slab& slab, std::uint32_t place);
  void examine_plain(const Slab& slab, Row row, const FileClass& file_class, Health& health, Exposure* exposure);
  void examine_any(const Slab& slab, std::uint32_t place, const FileClass& file_class, Health& health, Exposure* exposure);
  void collect(const Slab& slab, std::uint32_t place, const FileClass& file_class, Health& health);
  void look_at_lanes(const FileClass& file_class, Health& health, Exposure* exposure);
  void note_domain(std::uint32_t domain, std::uint32_t shares, const FileClass& file_class, const Health& health, Exposure& exposure);
  void look_at_kind(std::uint32_t kind, const FileClass& file_class, Health& health, Exposure* exposure);
  std::uint32_t tolerance_of_counts(std::uint32_t spare);
  std::uint32_t matching(std::uint32_t available_shares);
  bool augment(std::uint32_t share, std::uint32_t round);

  const PeerTables& tables_;
  CountShares count_shares_;
  std::vector<std::uint32_t> last_file_of_peer_;
  std::uint32_t file_ = 0;
  std::vector<Held> held_;
  bool shares_doubled_ = false;
  std::vector<std::uint32_t> shares_of_peer_;   // zero outside a call
  std::vector<std::uint32_t> peers_;            // those with shares
  std::vector<std::uint32_t> shares_of_domain_;  // zero outside a call
  std::vector<std::uint32_t> domains_;
  std::vector<std::uint32_t> counts_;
  std::vector<std::uint32_t> holders_with_;  // by count of shares; zero outside a call
  std::vector<std::uint32_t> matched_share_;  // by peer; share + 1
  std::vector<std::uint32_t> seen_in_round_;
  std::vector<std::vector<std::uint32_t>> holders_;
};

const CountKernels& kernels_of_current_level();

}  // namespace meshward::share_map
