#include "share-map/sweep.h"

namespace meshward::share_map {
namespace {

template <class T>
void append_all(std::vector<T>& to, const std::vector<T>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

std::uint16_t clipped(std::uint32_t count) { return static_cast<std::uint16_t>(count > 0xffff ? 0xffff : count); }

}  // namespace

void ChangedFiles::add(Row row, const FileFacts& facts, const Health& health, bool settling, std::uint32_t kinds) {
  count++;
  storage_indexes.insert(storage_indexes.end(), row.storage_index(), row.storage_index() + storage_index_bytes);
  ueb_hashes.insert(ueb_hashes.end(), row.ueb_hash(), row.ueb_hash() + ueb_hash_bytes);
  size_bytes.push_back(facts.size_bytes);
  classes.push_back(facts.file_class);
  const std::uint16_t own[figures_each] = {
      clipped(health.available), clipped(health.counted),   clipped(health.retained),        clipped(health.corrupt),
      clipped(health.distinct_peers), clipped(health.happiness), clipped(health.tolerance_peers), settling};
  figures.insert(figures.end(), own, own + figures_each);
  tolerance.insert(tolerance.end(), health.tolerance.begin(), health.tolerance.begin() + kinds);
  expected.push_back(health.expected);
}

void ChangedFiles::append(const ChangedFiles& other) {
  count += other.count;
  append_all(storage_indexes, other.storage_indexes);
  append_all(ueb_hashes, other.ueb_hashes);
  append_all(size_bytes, other.size_bytes);
  append_all(classes, other.classes);
  append_all(figures, other.figures);
  append_all(tolerance, other.tolerance);
  append_all(expected, other.expected);
}

void SweepPart::visit_slab(Slab& slab, std::uint32_t parity) {
  struct Leaving {
    SlabLock& lock;
    ~Leaving() { lock.end_sweep(); }
  } const leaving{slab.lock};
  for (std::uint32_t place = 0; place < rows_per_slab; place++) {
    slab.lock.sweep(place);
    if (place >= slab.used) return;
    visit(slab, place, parity);
  }
}

void SweepPart::visit(Slab& slab, std::uint32_t place, std::uint32_t parity) {
  const Row row = slab.row(place);
  const std::uint32_t flags = row.flags();
  if (flags & vacant || (flags & sweep_parity) == parity) return;
  row.clear(settings_.what_if ? sweep_parity : sweep_parity | touched);
  row.set(parity);
  if (flags & deleted) return;
  if (!(flags & registered)) {
    totals.files_without_manifest++;
    return;
  }
  const FileFacts facts = slab.facts(place);
  const FileClass& file_class = classes_[facts.file_class];
  Health health;
  if (judge(slab, place, facts, file_class, health, &exposure)) {
    totals.settling_files++;
    return;
  }
  const auto is_expected_below = [&](std::uint32_t threshold) {
    return health.available >= threshold && health.expected < threshold * full_confidence;
  };
  totals.expected_below_k += is_expected_below(file_class.k);
  totals.expected_below_repair += is_expected_below(file_class.repair_below);
  if (totals.by_policy.size() <= file_class.policy) totals.by_policy.resize(file_class.policy + 1);
  auto& counts = totals.by_policy[file_class.policy];
  if (!counts) counts = std::make_unique<AvailabilityCounts>();
  counts->files[health.available]++;
  counts->bytes[health.available] += facts.size_bytes;
}

void SweepPart::look_at(Slab& slab, std::uint32_t place) {
  const FileFacts facts = slab.facts(place);
  Health health;
  judge(slab, place, facts, classes_[facts.file_class], health, nullptr);
}

/** @returns whether the file is settling. */
bool SweepPart::judge(Slab& slab, std::uint32_t place, const FileFacts& facts, const FileClass& file_class, Health& health, Exposure* exposure) {
  const Row row = slab.row(place);
  // A settling file is exposed to nothing yet; whether it is one shows only when it has been counted.
  const bool may_settle = !row.has(settled) && settings_.at_ms - facts.registered_at_ms < settings_.settle_ms;
  examiner_.examine(slab, place, file_class, health, may_settle ? nullptr : exposure);
  const bool settling = may_settle && health.counted < file_class.repair_below;
  if (may_settle && !settling && exposure) examiner_.examine(slab, place, file_class, health, exposure);
  const std::uint32_t digest = health.digest(tables_.kinds);
  const bool same = row.has(reported) && row.seen() == digest && row.has(was_settling) == settling;
  if (!same && changed.count >= settings_.most_changed) {
    totals.changed_later++;
    return settling;
  }
  if (!settings_.what_if) {
    if (!settling && !row.has(settled)) row.set(settled);
    if (!same) {
      row.set_seen(digest);
      row.clear(was_settling);
      row.set(reported | (settling ? was_settling : 0u));
    }
  }
  if (!same) changed.add(row, facts, health, settling, tables_.kinds);
  return settling;
}

}  // namespace meshward::share_map
