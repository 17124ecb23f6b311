// Theory of operation: what is read at one path is a document, and kept for a moment, so that two fields of
// it (the name and the password of one database user) come from one reading. A document with a lease is kept
// as long as the lease; a thread renews it when two thirds of its time are over, and the destructor revokes
// it.
#include "secrets/vault/vault_provider.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <boost/json/serialize.hpp>
#include <condition_variable>
#include <map>
#include <thread>

#include "secrets/http/json_body.h"
#include "secrets/vault/vault_place.h"

namespace casemate::secrets {
namespace {

namespace json = boost::json;

constexpr std::int64_t kDocumentMs = 2'000;
constexpr std::int64_t kValueTtlMs = 60'000;
constexpr std::int64_t kRenewTimeoutMs = 10'000;
constexpr std::int64_t kFarewellMs = 3'000;
constexpr std::int64_t kMicros = 1000;

// What was read at a path: an object of fields as JSON, in locked memory.
struct Document {
  std::mutex reading;  // one reader; the others wait for what it finds
  std::optional<SecretValue> fields;
  std::string missing;
  std::atomic<std::int64_t> until_us = 0;
  std::string lease_id;
  std::int64_t lease_ms = 0;
  bool renewable = false;
};

struct Mount {
  std::string path;  // with "/" at its end
  bool second_version = false;
  bool keyed = false;  // a key-value engine
};

std::string Body(std::string_view lease_id) {
  json::object object;
  object["lease_id"] = json::string_view(lease_id.data(), lease_id.size());
  return json::serialize(object);
}

class VaultProvider : public Provider {
 public:
  VaultProvider(HttpClient& client, Variable variable)
      : server_(client, std::move(variable)),
        renewer_([this](const std::stop_token& stop) { Renew(stop); }) {}

  ~VaultProvider() override {
    {
      // Between its look and its wait the thread would miss the word.
      const std::lock_guard lock(mutex_);
      renewer_.request_stop();
    }
    changed_.notify_all();
    renewer_.join();
    const Deadline deadline = Deadline::After(kFarewellMs);
    for (const auto& [path, document] : documents_) {
      if (!document->lease_id.empty())
        (void)server_.Call("PUT", "sys/leases/revoke", Body(document->lease_id), deadline);
    }
    server_.LogOut(deadline);
  }
  VaultProvider(const VaultProvider&) = delete;
  VaultProvider& operator=(const VaultProvider&) = delete;

  std::string_view scheme() const override { return "vault"; }
  std::string_view form() const override { return kVaultForm; }
  bool waits() const override { return true; }
  Expected<void> Check(std::string_view place) const override { return CheckVaultPlace(place); }

  Expected<Fetched> Fetch(std::string_view text, const Deadline& deadline) override {
    const auto place = ParseVaultPlace(text);
    if (!place) return std::unexpected(place.error());
    const std::shared_ptr<Document> document = Find(fmt::format("{}?{}", place->path, place->version));
    const std::lock_guard lock(document->reading);
    if (MonotonicUs() >= document->until_us) {
      if (auto read = Read(*place, *document, deadline); !read) return std::unexpected(read.error());
    }
    return TakeField(*place, *document);
  }

 private:
  std::shared_ptr<Document> Find(const std::string& key) {
    const std::lock_guard lock(mutex_);
    // What is over and nobody reads; what has a lease is over when that is.
    std::erase_if(documents_, [now = MonotonicUs()](const auto& entry) {
      return entry.second.use_count() == 1 && entry.second->until_us <= now;
    });
    std::shared_ptr<Document>& document = documents_[key];
    if (!document) document = std::make_shared<Document>();
    return document;
  }

  static Expected<Fetched> TakeField(const VaultPlace& place, const Document& document) {
    Fetched fetched;
    if (!document.fields) {
      fetched.missing = document.missing;
      return fetched;
    }
    const auto fields = ParseBody(document.fields->Reveal());
    if (!fields) return std::unexpected(fields.error());
    const auto text = FieldText(*fields, place.field);
    if (!text) {
      fetched.missing = fmt::format("{} in Vault has no field {} (vault kv patch {} {}=...)", place.path,
                                    place.field, place.path, place.field);
      return fetched;
    }
    if (text->empty() || text->size() > kSecretBytesMax) {
      return Fail(
          ErrorCode::kUnavailable,
          fmt::format("the field {} of {} in Vault is empty, or has more than {} bytes: write it again",
                      place.field, place.path, kSecretBytesMax));
    }
    auto value = SecretValue::Copy(*text);
    if (!value) return std::unexpected(value.error());
    fetched.value = *std::move(value);
    const std::int64_t left_ms = (document.until_us - MonotonicUs()) / kMicros;
    fetched.ttl_ms = document.lease_id.empty() ? kValueTtlMs : std::max<std::int64_t>(left_ms, 0);
    return fetched;
  }

  // As Vault's own command does: the server says which engine is mounted where.
  Expected<Mount> FindMount(const VaultPlace& place, const Deadline& deadline) {
    {
      const std::lock_guard lock(mutex_);
      for (const Mount& mount : mounts_) {
        if (place.path.starts_with(mount.path)) return mount;
      }
    }
    auto answer = server_.Call("GET", "sys/internal/ui/mounts/" + place.path, "", deadline);
    if (!answer) return std::unexpected(answer.error());
    Mount mount;
    mount.path = TextAt(answer->body, "data.path");
    mount.keyed = TextAt(answer->body, "data.type") == "kv";
    mount.second_version = mount.keyed && TextAt(answer->body, "data.options.version") == "2";
    if (answer->status != 200 || !mount.path.ends_with('/') || !place.path.starts_with(mount.path)) {
      return Fail(
          ErrorCode::kUnavailable,
          fmt::format("Vault has nothing mounted at {}: check the path, and VAULT_NAMESPACE", place.path));
    }
    const std::lock_guard lock(mutex_);
    mounts_.push_back(mount);
    return mount;
  }

  Expected<void> Read(const VaultPlace& place, Document& document, const Deadline& deadline) {
    const auto mount = FindMount(place, deadline);
    if (!mount) return std::unexpected(mount.error());
    if (place.version > 0 && !mount->second_version) {
      return Fail(ErrorCode::kInvalidRequest,
                  fmt::format("{} in Vault keeps no versions: leave out ?version=", mount->path));
    }
    std::string path = place.path;
    if (mount->second_version) path.insert(mount->path.size(), "data/");
    if (place.version > 0) path += fmt::format("?version={}", place.version);
    auto answer = server_.Call("GET", path, "", deadline);
    if (!answer) return std::unexpected(answer.error());
    return TakeDocument(place, *mount, *answer, document);
  }

  Expected<void> TakeDocument(const VaultPlace& place, const Mount& mount, const VaultServer::Answer& answer,
                              Document& document) {
    document.fields.reset();
    document.until_us = MonotonicUs() + kDocumentMs * kMicros;
    const json::value* fields = secrets::Find(answer.body, mount.second_version ? "data.data" : "data");
    if (answer.status == 404 || fields == nullptr || !fields->is_object()) {
      document.missing = Missing(place, answer.body);
      return {};
    }
    const std::string text = json::serialize(*fields);
    auto kept = SecretValue::Copy(text);
    if (!kept) return std::unexpected(kept.error());
    document.fields = *std::move(kept);
    const std::string lease_id = TextAt(answer.body, "lease_id");
    if (lease_id.empty()) return {};
    const std::lock_guard lock(mutex_);
    document.lease_id = lease_id;
    document.lease_ms = NumberAt(answer.body, "lease_duration") * 1000;
    const json::value* renewable = secrets::Find(answer.body, "renewable");
    document.renewable = renewable != nullptr && renewable->is_bool() && renewable->get_bool();
    document.until_us = MonotonicUs() + document.lease_ms * kMicros;
    changed_.notify_all();
    return {};
  }

  static std::string Missing(const VaultPlace& place, const json::value& body) {
    const json::value* const destroyed = secrets::Find(body, "data.metadata.destroyed");
    if (destroyed != nullptr && destroyed->is_bool() && destroyed->get_bool()) {
      return fmt::format("this version of {} in Vault is destroyed (vault kv put {} {}=...)", place.path,
                         place.path, place.field);
    }
    if (!TextAt(body, "data.metadata.deletion_time").empty()) {
      return fmt::format("this version of {} in Vault is deleted (vault kv undelete)", place.path);
    }
    if (place.version > 0) {
      return fmt::format("Vault has no version {} of {} (vault kv metadata get {})", place.version,
                         place.path, place.path);
    }
    return fmt::format("Vault has no {} (vault kv put {} {}=...)", place.path, place.path, place.field);
  }

  void Renew(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested()) {
      std::shared_ptr<Document> next;
      std::int64_t due_us = MonotonicUs() + 3600'000 * kMicros;
      for (const auto& [path, document] : documents_) {
        if (document->lease_id.empty() || !document->renewable) continue;
        const std::int64_t due = document->until_us - document->lease_ms * kMicros / 3;
        if (due >= due_us) continue;
        due_us = due;
        next = document;
      }
      const std::int64_t wait_us = due_us - MonotonicUs();
      if (wait_us > 0) {
        changed_.wait_for(lock, std::chrono::microseconds(wait_us));
        continue;
      }
      const std::string lease_id = next->lease_id;
      lock.unlock();
      const auto answer =
          server_.Call("PUT", "sys/leases/renew", Body(lease_id), Deadline::After(kRenewTimeoutMs));
      lock.lock();
      const std::int64_t lease_ms = answer ? NumberAt(answer->body, "lease_duration") * 1000 : 0;
      if (lease_ms > 0) next->until_us = MonotonicUs() + lease_ms * kMicros;
      // What cannot be renewed ends by itself, and is read anew then.
      if (lease_ms <= 0 || lease_ms < next->lease_ms) next->renewable = false;
    }
  }

  VaultServer server_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, std::shared_ptr<Document>> documents_;
  std::vector<Mount> mounts_;
  std::jthread renewer_;
};

}  // namespace

std::unique_ptr<Provider> MakeVaultProvider(HttpClient& client, Variable variable) {
  return std::make_unique<VaultProvider>(client, std::move(variable));
}

}  // namespace casemate::secrets
