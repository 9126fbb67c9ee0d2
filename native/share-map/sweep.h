#pragma once
// One pass over every file: what each thread finds, and how it is put together.

#include <memory>
#include <span>
#include <vector>

#include "share-map/health.h"

namespace meshward::share_map {

struct SweepSettings {
  double at_ms = 0;
  double settle_ms = 0;
  /** Nothing is noted in the rows: a look at what would be with other peers. */
  bool what_if = false;
  std::uint64_t most_changed = 0;
};

/** Files whose health is not what was reported last; an entry for each in every column. */
struct ChangedFiles {
  static constexpr std::uint32_t figures_each = 8;

  std::uint64_t count = 0;
  std::vector<std::uint8_t> storage_indexes;  // 16 each
  std::vector<std::uint8_t> ueb_hashes;       // 32 each
  std::vector<double> size_bytes;
  std::vector<std::uint32_t> classes;
  std::vector<std::uint16_t> figures;    // available, counted, retained, corrupt, distinct peers, happiness, tolerance to peers, settling
  std::vector<std::uint16_t> tolerance;  // kinds each
  std::vector<std::uint32_t> expected;   // thousandths of a share

  void add(Row row, const FileFacts& facts, const Health& health, bool settling, std::uint32_t kinds);
  void append(const ChangedFiles& other);
};

/** Files and bytes of one policy by available shares. */
struct AvailabilityCounts {
  std::array<std::uint32_t, most_slots + 1> files{};
  std::array<double, most_slots + 1> bytes{};
};

struct SweepTotals {
  std::vector<std::unique_ptr<AvailabilityCounts>> by_policy;
  std::uint64_t files_without_manifest = 0;
  std::uint64_t settling_files = 0;
  /** Files that have enough available shares, and by their peers' confidence are expected to have fewer. */
  std::uint64_t expected_below_k = 0;
  std::uint64_t expected_below_repair = 0;
  /** Files that changed and are not in `changed`, since that was full: they come in the next sweep. */
  std::uint64_t changed_later = 0;
};

/** One thread's part of a sweep, or a look at some files. */
class SweepPart {
 public:
  SweepPart(const PeerTables& tables, const FileClasses& classes, const SweepSettings& settings)
      : tables_(tables), classes_(classes), settings_(settings), examiner_(tables, kernels_of_current_level()), exposure(tables) {}

  /** Visits every row of the slab that this sweep has not visited, holding one at a time. */
  void visit_slab(Slab& slab, std::uint32_t parity);
  void visit(Slab& slab, std::uint32_t place, std::uint32_t parity);
  /** Judges one file and nothing else. */
  void look_at(Slab& slab, std::uint32_t place);

 private:
  const PeerTables& tables_;
  const FileClasses& classes_;
  const SweepSettings& settings_;
  Examiner examiner_;

  bool judge(Slab& slab, std::uint32_t place, const FileFacts& facts, const FileClass& file_class, Health& health, Exposure* exposure);

 public:
  SweepTotals totals;
  ChangedFiles changed;
  Exposure exposure;
};

}  // namespace meshward::share_map
