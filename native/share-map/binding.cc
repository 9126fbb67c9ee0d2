// class ShareMapCore: the share map as JavaScript sees it. native/share-map.ts is the typed front; what every method wants
// and gives stands there; border.cc checks it.

#include <algorithm>

#include "registration.h"
#include "share-map/border.h"
#include "share-map/columns.h"
#include "share-map/map.h"
#include "share-map/snapshot.h"
#include "share-map/sweep_answers.h"

namespace meshward {
namespace {

using namespace share_map;

constexpr double most_threads = 64;
constexpr std::size_t reap_all = ~std::size_t{0};

Column<std::uint8_t> storage_indexes_of(const Napi::Value& value) { return column_of<std::uint8_t>(value, "storage indexes"); }

const std::uint8_t* storage_index_of(const Napi::Value& value) {
  const auto bytes = storage_indexes_of(value);
  check_length(bytes.size(), storage_index_bytes, "bytes of a storage index");
  return bytes.data();
}

PeerColumns peer_columns_of(const Napi::CallbackInfo& info, std::size_t at) {
  return checked_peers({column_of<std::uint8_t>(info[at], "peer flags"), column_of<std::uint16_t>(info[at + 1], "domains"),
                        column_of<std::uint32_t>(info[at + 2], "counts of domains"),
                        info[at + 3].IsUndefined() ? Column<std::uint16_t>() : column_of<std::uint16_t>(info[at + 3], "confidences")});
}

class ShareMapCore : public Napi::ObjectWrap<ShareMapCore> {
 public:
  static void define(Napi::Env env, Napi::Object exports);

  explicit ShareMapCore(const Napi::CallbackInfo& info) : Napi::ObjectWrap<ShareMapCore>(info) {
    const auto seed = column_of<std::uint8_t>(info[0], "bytes of the seed");
    if (seed.size() != 16) throw Napi::RangeError::New(info.Env(), "a seed has 16 bytes");
    map_ = std::make_unique<ShareMap>(load64(seed.data()), load64(seed.data() + 8), number_of(info[1], "the most files"), number_of(info[2], "the settling time"));
  }

  ~ShareMapCore() override {
    if (map_) map_->cancel_sweep();
  }

 private:
  friend class SweepWorker;

  /** What the border refuses is a RangeError; whatever else C++ throws becomes an Error by itself. */
  template <auto method>
  Napi::Value guarded(const Napi::CallbackInfo& info) {
    try {
      return (this->*method)(info);
    } catch (const std::out_of_range& error) {
      throw Napi::RangeError::New(info.Env(), error.what());
    }
  }

  RegistrationColumns registrations_of(const Napi::CallbackInfo& info, bool may_lack_class) {
    const FileInput input{storage_indexes_of(info[0]), column_of<std::uint8_t>(info[1], "bytes of UEB hashes"), column_of<double>(info[2], "sizes"),
                          column_of<std::uint32_t>(info[3], "classes")};
    return checked_registrations(input, map_->classes().count(), may_lack_class);
  }

  Napi::Value add_class(const Napi::CallbackInfo& info) {
    const FileClass file_class = checked_class({whole_of(info[0], "k", 256), whole_of(info[1], "n", 256), whole_of(info[2], "the repair threshold", 256),
                               whole_of(info[3], "the policy", FileClasses::most - 1), info[4].ToBoolean()});
    if (map_->classes().count() == FileClasses::most) throw Napi::RangeError::New(info.Env(), "more than 1,048,576 classes of files");
    return Napi::Number::New(info.Env(), map_->classes().add(file_class));
  }

  Napi::Value register_files(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), map_->register_files(registrations_of(info, false), number_of(info[4], "the time")));
  }

  Napi::Value apply(const Napi::CallbackInfo& info) {
    const std::uint32_t peer = whole_of(info[0], "a peer's number");
    const std::uint32_t generation = whole_of(info[1], "a generation");
    const auto indexes = storage_indexes_of(info[2]);
    const auto shares = column_of<std::uint8_t>(info[3], "share numbers");
    const auto kinds = column_of<std::uint8_t>(info[4], "kinds");
    const std::size_t count = checked_events(peer, indexes, shares, kinds);
    map_->apply(peer, generation, count, indexes.data(), shares.data(), kinds.data());
    return info.Env().Undefined();
  }

  Napi::Value end_inventory(const Napi::CallbackInfo& info) {
    const std::uint32_t peer = whole_of(info[0], "a peer's number", most_peers - 1);
    return Napi::Number::New(info.Env(), static_cast<double>(map_->end_inventory(peer, whole_of(info[1], "a generation"))));
  }

  Napi::Value delete_files(const Napi::CallbackInfo& info) {
    const auto indexes = storage_indexes_of(info[0]);
    map_->delete_files(count_files(indexes), indexes.data());
    return info.Env().Undefined();
  }

  Napi::Value load_files(const Napi::CallbackInfo& info) {
    const RegistrationColumns files = registrations_of(info, true);
    const auto times = column_of<double>(info[4], "times");
    const auto deleted = column_of<std::uint8_t>(info[5], "marks of deletion");
    check_length(times.size(), files.count, "times");
    check_length(deleted.size(), files.count, "marks of deletion");
    map_->load_files(files, times.data(), deleted.data());
    return info.Env().Undefined();
  }

  Napi::Value mark_settled(const Napi::CallbackInfo& info) {
    const auto indexes = storage_indexes_of(info[0]);
    map_->mark_settled(count_files(indexes), indexes.data());
    return info.Env().Undefined();
  }

  Napi::Value load_placements(const Napi::CallbackInfo& info) {
    const PlacementInput input{storage_indexes_of(info[0]), column_of<std::uint8_t>(info[1], "share numbers"), column_of<std::uint32_t>(info[2], "peers"),
                               column_of<std::uint8_t>(info[3], "states"), column_of<std::uint32_t>(info[4], "generations")};
    map_->load_placements(checked_placements(input));
    return info.Env().Undefined();
  }

  Napi::Value reap(const Napi::CallbackInfo& info) {
    const double most = number_of(info[0], "the most slabs");
    return Napi::Boolean::New(info.Env(), map_->reap(most >= 1e15 ? reap_all : static_cast<std::size_t>(std::max(0.0, most))));
  }

  Napi::Value limit(const Napi::CallbackInfo& info) {
    map_->limit(number_of(info[0], "the most files"), number_of(info[1], "the most registered files"), number_of(info[2], "the most unregistered placements"));
    return info.Env().Undefined();
  }

  /** (peer, fromSlab, mostSlabs) */
  Napi::Value free_unregistered(const Napi::CallbackInfo& info) {
    const std::uint32_t peer = whole_of(info[0], "a peer's number", most_peers - 1);
    return Napi::Number::New(info.Env(), static_cast<double>(map_->free_unregistered(peer, whole_of(info[1], "a slab"), whole_of(info[2], "the most slabs"))));
  }

  Napi::Value set_peers(const Napi::CallbackInfo& info) {
    map_->set_peers(peer_columns_of(info, 0));
    return info.Env().Undefined();
  }

  /** (atMs, mostFiles) */
  Napi::Value look(const Napi::CallbackInfo& info) {
    SweepSettings settings;
    settings.at_ms = number_of(info[0], "the time");
    settings.settle_ms = map_->settle_ms();
    settings.most_changed = ~0ull;
    ChangedFiles changed;
    const std::size_t left = map_->look(settings, whole_of(info[1], "the most files"), changed);
    Napi::Object answer = give_changed(info.Env(), changed);
    answer.Set("left", static_cast<double>(left));
    return answer;
  }

  /** (atMs, threads, mostChanged, then peer columns for a what-if) */
  std::shared_ptr<SweepRun> begin_sweep(const Napi::CallbackInfo& info) {
    if (map_->is_sweeping()) throw Napi::Error::New(info.Env(), "a sweep of this map is under way");
    SweepSettings settings;
    settings.at_ms = number_of(info[0], "the time");
    settings.settle_ms = map_->settle_ms();
    const std::uint32_t threads = std::max(1u, whole_of(info[1], "the count of threads", most_threads));
    settings.most_changed = whole_of(info[2], "the most changed files");
    settings.what_if = !info[3].IsUndefined();
    if (!settings.what_if) return map_->start_sweep(settings, threads, nullptr);
    const PeerColumns others = peer_columns_of(info, 3);
    return map_->start_sweep(settings, threads, &others);
  }

  Napi::Value finish_sweep(Napi::Env env, SweepRun& run) {
    SweepPart& part = run.result();
    const bool judged_all = !run.settings().what_if && !run.cancelled() && part.totals.changed_later == 0;
    try {
      Napi::Value answer = give_sweep(env, part, run.tables());
      map_->finish_sweep(judged_all);
      return answer;
    } catch (const Napi::Error&) {
      map_->finish_sweep(false);
      throw;
    }
  }

  Napi::Value sweep(const Napi::CallbackInfo& info) {
    const std::shared_ptr<SweepRun> run = begin_sweep(info);
    try {
      run->run();
    } catch (...) {
      map_->finish_sweep(false);
      throw;
    }
    return finish_sweep(info.Env(), *run);
  }

  Napi::Value start_sweep(const Napi::CallbackInfo& info);

  /** (storageIndex, atMs) */
  Napi::Value health(const Napi::CallbackInfo& info) {
    const RowNumber number = map_->find(storage_index_of(info[0]));
    const double at_ms = number_of(info[1], "the time");
    Health health;
    if (number == no_row || !map_->health(number, health)) return info.Env().Null();
    ChangedFiles one;
    one.add(map_->row(number), map_->facts(number), health, map_->is_settling(number, health, at_ms), map_->tables().kinds);
    return give_changed(info.Env(), one);
  }

  Napi::Value find(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    const RowNumber number = map_->find(storage_index_of(info[0]));
    if (number == no_row || !map_->is_known(number)) return env.Null();
    const Row row = map_->row(number);
    const std::uint32_t flags = map_->flags_of(number);
    const FileFacts facts = map_->facts(number);
    Napi::Object answer = Napi::Object::New(env);
    answer.Set("registered", (flags & registered) != 0);
    answer.Set("deleted", (flags & deleted) != 0);
    answer.Set("uebHash", give_column<std::uint8_t>(env, {row.ueb_hash(), row.ueb_hash() + ueb_hash_bytes}));
    answer.Set("sizeBytes", facts.size_bytes);
    answer.Set("registeredAtMs", facts.registered_at_ms);
    answer.Set("fileClass", facts.file_class);
    return answer;
  }

  Napi::Value placements(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    const RowNumber number = map_->find(storage_index_of(info[0]));
    const auto found = number == no_row ? std::vector<PlacementFacts>{} : map_->placements(number);
    std::vector<std::uint8_t> shares, states;
    std::vector<std::uint32_t> peers, generations;
    for (const PlacementFacts& placement : found) {
      shares.push_back(static_cast<std::uint8_t>(placement.share));
      states.push_back(placement.corrupt ? placement_corrupt : placement_stored);
      peers.push_back(placement.peer);
      generations.push_back(placement.generation);
    }
    Napi::Object answer = Napi::Object::New(env);
    answer.Set("shareNumbers", give_column(env, shares));
    answer.Set("states", give_column(env, states));
    answer.Set("peers", give_column(env, peers));
    answer.Set("generations", give_column(env, generations));
    return answer;
  }

  Napi::Value take_placements(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    ChangedPlacements changed;
    const std::size_t left = map_->take_placements(whole_of(info[0], "the most rows"), changed);
    Napi::Object answer = Napi::Object::New(env);
    answer.Set("storageIndexes", give_column(env, changed.storage_indexes));
    answer.Set("shareNumbers", give_column(env, changed.shares));
    answer.Set("peers", give_column(env, changed.peers));
    answer.Set("states", give_column(env, changed.states));
    answer.Set("generations", give_column(env, changed.generations));
    answer.Set("left", static_cast<double>(left));
    return answer;
  }

  Napi::Value take_files(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    FileColumns changed;
    map_->take_files(changed);
    Napi::Object answer = Napi::Object::New(env);
    answer.Set("storageIndexes", give_column(env, changed.storage_indexes));
    answer.Set("uebHashes", give_column(env, changed.ueb_hashes));
    answer.Set("sizesBytes", give_column(env, changed.size_bytes));
    answer.Set("registeredAtMs", give_column(env, changed.registered_at_ms));
    answer.Set("classes", give_column(env, changed.classes));
    answer.Set("deleted", give_column(env, changed.deleted));
    return answer;
  }

  Napi::Value counts(const Napi::CallbackInfo& info) {
    Napi::Object answer = Napi::Object::New(info.Env());
    answer.Set("files", static_cast<double>(map_->file_count()));
    answer.Set("placements", static_cast<double>(map_->placement_count()));
    answer.Set("unregisteredFiles", static_cast<double>(map_->unregistered_count()));
    answer.Set("refusedUnregistered", static_cast<double>(map_->refused_unregistered()));
    answer.Set("refusedFiles", static_cast<double>(map_->refused_files()));
    answer.Set("refusedPlacements", static_cast<double>(map_->refused_placements()));
    answer.Set("deadPlacements", static_cast<double>(map_->dead_placements()));
    return answer;
  }

  Napi::Value bytes(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), static_cast<double>(map_->bytes())); }

  /** The length of part `i` of a snapshot, or 0 behind the last. */
  Napi::Value snapshot_part_bytes(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), static_cast<double>(Snapshot::part_bytes(*map_, whole_of(info[0], "a part's number"))));
  }

  Napi::Value write_snapshot_part(const Napi::CallbackInfo& info) {
    const std::uint32_t part = whole_of(info[0], "a part's number");
    const std::size_t wanted = Snapshot::part_bytes(*map_, part);
    const auto bytes = column_of<std::uint8_t>(info[1], "bytes for the part");
    check_length(bytes.size(), wanted, "bytes for the part");
    Snapshot::write_part(*map_, part, {const_cast<std::uint8_t*>(bytes.data()), wanted});
    return info.Env().Undefined();
  }

  Napi::Value read_snapshot_part(const Napi::CallbackInfo& info) {
    Snapshot::read_part(*map_, column_of<std::uint8_t>(info[0], "bytes of a part"));
    return info.Env().Undefined();
  }

  std::unique_ptr<ShareMap> map_;
};

/** A sweep on libuv's thread and some of its own; keeps the map until it is answered. */
class SweepWorker : public Napi::AsyncWorker {
 public:
  SweepWorker(Napi::Env env, ShareMapCore& core, std::shared_ptr<SweepRun> run)
      : Napi::AsyncWorker(env, "meshward:sweep"), core_(core), run_(std::move(run)), deferred_(Napi::Promise::Deferred::New(env)) {
    core_.Ref();
  }
  Napi::Promise promise() const { return deferred_.Promise(); }

 protected:
  void Execute() override { run_->run(); }
  void OnOK() override {
    const Napi::HandleScope scope(Env());
    try {
      deferred_.Resolve(core_.finish_sweep(Env(), *run_));
    } catch (const Napi::Error& error) {
      reject(error);
    }
    core_.Unref();
  }
  void OnError(const Napi::Error& error) override {
    const Napi::HandleScope scope(Env());
    core_.map_->finish_sweep(false);
    reject(error);
    core_.Unref();
  }

 private:
  void reject(const Napi::Error& error) {
    try {
      deferred_.Reject(error.Value());
    } catch (const Napi::Error&) {
      // The JavaScript thread is ending: nobody waits any more.
    }
  }

  ShareMapCore& core_;
  std::shared_ptr<SweepRun> run_;
  Napi::Promise::Deferred deferred_;
};

Napi::Value ShareMapCore::start_sweep(const Napi::CallbackInfo& info) {
  auto* worker = new SweepWorker(info.Env(), *this, begin_sweep(info));  // deletes itself when it has answered
  const Napi::Promise promise = worker->promise();
  worker->Queue();
  return promise;
}

void ShareMapCore::define(Napi::Env env, Napi::Object exports) {
  using Core = ShareMapCore;
  const Napi::Function constructor = DefineClass(
      env, "ShareMapCore",
      {
          InstanceMethod<&Core::guarded<&Core::add_class>>("addClass"),
          InstanceMethod<&Core::guarded<&Core::register_files>>("registerFiles"),
          InstanceMethod<&Core::guarded<&Core::apply>>("apply"),
          InstanceMethod<&Core::guarded<&Core::end_inventory>>("endInventory"),
          InstanceMethod<&Core::guarded<&Core::delete_files>>("deleteFiles"),
          InstanceMethod<&Core::guarded<&Core::load_files>>("loadFiles"),
          InstanceMethod<&Core::guarded<&Core::mark_settled>>("markSettled"),
          InstanceMethod<&Core::guarded<&Core::load_placements>>("loadPlacements"),
          InstanceMethod<&Core::guarded<&Core::reap>>("reap"),
          InstanceMethod<&Core::guarded<&Core::set_peers>>("setPeers"),
          InstanceMethod<&Core::guarded<&Core::limit>>("limit"),
          InstanceMethod<&Core::guarded<&Core::free_unregistered>>("freeUnregistered"),
          InstanceMethod<&Core::guarded<&Core::look>>("look"),
          InstanceMethod<&Core::guarded<&Core::sweep>>("sweep"),
          InstanceMethod<&Core::guarded<&Core::start_sweep>>("startSweep"),
          InstanceMethod<&Core::guarded<&Core::health>>("health"),
          InstanceMethod<&Core::guarded<&Core::find>>("find"),
          InstanceMethod<&Core::guarded<&Core::placements>>("placements"),
          InstanceMethod<&Core::guarded<&Core::take_placements>>("takePlacements"),
          InstanceMethod<&Core::guarded<&Core::take_files>>("takeFiles"),
          InstanceMethod<&Core::guarded<&Core::counts>>("counts"),
          InstanceMethod<&Core::guarded<&Core::bytes>>("bytes"),
          InstanceMethod<&Core::guarded<&Core::snapshot_part_bytes>>("snapshotPartBytes"),
          InstanceMethod<&Core::guarded<&Core::write_snapshot_part>>("writeSnapshotPart"),
          InstanceMethod<&Core::guarded<&Core::read_snapshot_part>>("readSnapshotPart"),
      });
  exports.Set("ShareMapCore", constructor);
}

}  // namespace

void register_share_map(Napi::Env env, Napi::Object exports) { ShareMapCore::define(env, exports); }

}  // namespace meshward
