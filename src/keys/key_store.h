#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "casemate/error.h"
#include "keys/scope.h"

namespace casemate {

// What a key may take; 0 means without a bound.
struct KeyQuota {
  std::int64_t per_minute = 0;    // requests, on average
  std::int64_t burst = 0;         // requests at once before the average counts; 0: as many as per_minute
  std::int64_t runs_per_day = 0;  // in each 24 hours since the engine's start
  std::int64_t concurrent = 0;    // requests at one time
};

// One key as it is kept: never its secret, only that one's digest.
struct ApiKey {
  std::string id;      // 12 hexadecimal digits, the key's public part
  std::string name;    // what its owner calls it
  std::string sha256;  // of the whole key
  Scopes scopes;
  KeyQuota quota;
  std::int64_t created_us = 0;  // microseconds since 1970
  std::int64_t expires_us = 0;  // 0: never
  std::int64_t revoked_us = 0;  // 0: not
};

// A key's text is "cmk_ID_SECRET", its secret 256 random bits in 43 characters of base64url. It is kept as
// its SHA-256: a slow hash makes guessing of weak passwords dear, and 2^256 values cannot be guessed at any
// price; a fast one lets each request be checked.
//
// kInternal when the host gives no randomness.
struct NewKey {
  ApiKey key;
  std::string text;  // shown once
};
Expected<NewKey> MakeKey(std::string name, Scopes scopes, const KeyQuota& quota, std::int64_t now_us);

// The public part of a key's text; nullopt for what has not the form of one.
std::optional<std::string_view> KeyId(std::string_view text);

// The keys of one state folder, in STATE/http/keys.json (mode 0600, its folder 0700). Thread-safe.
class KeyStore {
 public:
  explicit KeyStore(const std::string& state_dir) : path_(state_dir + "/http/keys.json") {}

  const std::string& path() const { return path_; }

  // All keys, also the revoked. kInternal when the file is there and cannot be read or is none.
  Expected<std::vector<ApiKey>> List() const;
  Expected<void> Add(const ApiKey& key) const;
  // By id or by name, when the name is one key's alone. It is of no use from the next request on. kNotFound
  // when there is no such key.
  Expected<ApiKey> Revoke(const std::string& id_or_name, std::int64_t now_us) const;

  // The key that `text` is, or nullptr: unknown, wrong, revoked or expired, which a caller cannot tell apart.
  // Looks at the file again when it has changed. The comparison's time does not depend on where they differ.
  // An error when the file cannot be read: nobody gets in then.
  Expected<std::shared_ptr<const ApiKey>> Find(std::string_view text, std::int64_t now_us);
  // Whether any key could be let in now.
  Expected<bool> HasUsable(std::int64_t now_us) const;

 private:
  struct Stamp {
    std::int64_t inode = 0;
    std::int64_t size = 0;
    std::int64_t changed_ns = 0;
    friend bool operator==(const Stamp&, const Stamp&) = default;
  };
  template <typename Change>
  Expected<void> Update(const Change& change) const;
  Expected<void> Refresh();

  const std::string path_;
  std::mutex mutex_;
  std::optional<Stamp> stamp_;
  std::map<std::string, std::shared_ptr<const ApiKey>, std::less<>> by_id_;
};

// The text of a key file; the inverse fails with kInvalidRequest and one sentence.
std::string EncodeKeys(const std::vector<ApiKey>& keys);
Expected<std::vector<ApiKey>> DecodeKeys(std::string_view text);

}  // namespace casemate
