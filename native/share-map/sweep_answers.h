#pragma once
// What sweeps and looks found, as JavaScript gets it: an object of columns.

#include "share-map/columns.h"
#include "share-map/sweep.h"

namespace meshward::share_map {

inline Napi::Object give_changed(Napi::Env env, const ChangedFiles& changed) {
  Napi::Object answer = Napi::Object::New(env);
  answer.Set("count", static_cast<double>(changed.count));
  answer.Set("storageIndexes", give_column(env, changed.storage_indexes));
  answer.Set("uebHashes", give_column(env, changed.ueb_hashes));
  answer.Set("sizesBytes", give_column(env, changed.size_bytes));
  answer.Set("classes", give_column(env, changed.classes));
  answer.Set("figures", give_column(env, changed.figures));
  answer.Set("tolerance", give_column(env, changed.tolerance));
  answer.Set("expected", give_column(env, changed.expected));
  return answer;
}

inline Napi::Object give_sweep(Napi::Env env, SweepPart& part, const PeerTables& tables) {
  std::vector<std::uint32_t> policies, files;
  std::vector<double> bytes;
  for (std::size_t policy = 0; policy < part.totals.by_policy.size(); policy++) {
    const auto& counts = part.totals.by_policy[policy];
    if (!counts) continue;
    policies.push_back(static_cast<std::uint32_t>(policy));
    files.insert(files.end(), counts->files.begin(), counts->files.end());
    bytes.insert(bytes.end(), counts->bytes.begin(), counts->bytes.end());
  }
  Napi::Object answer = Napi::Object::New(env);
  answer.Set("policies", give_column(env, policies));
  answer.Set("files", give_column(env, files));
  answer.Set("bytes", give_column(env, bytes));
  answer.Set("filesWithoutManifest", static_cast<double>(part.totals.files_without_manifest));
  answer.Set("settlingFiles", static_cast<double>(part.totals.settling_files));
  answer.Set("expectedBelowK", static_cast<double>(part.totals.expected_below_k));
  answer.Set("expectedBelowRepair", static_cast<double>(part.totals.expected_below_repair));
  answer.Set("changedLater", static_cast<double>(part.totals.changed_later));
  answer.Set("changed", give_changed(env, part.changed));
  answer.Set("peersBelowK", give_column(env, part.exposure.peers_below_k));
  answer.Set("peersBelowRepair", give_column(env, part.exposure.peers_below_repair));
  answer.Set("domainsBelowK", give_column(env, part.exposure.domains_below_k));
  answer.Set("domainsBelowRepair", give_column(env, part.exposure.domains_below_repair));
  answer.Set("firstDomains", give_column(env, tables.first_domain));
  return answer;
}

}  // namespace meshward::share_map
