#include "keys/key_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/crypto.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>

#include "base/errno.h"
#include "base/file.h"
#include "base/sha256.h"
#include "model/base64.h"

namespace casemate {
namespace {

constexpr std::string_view kPrefix = "cmk_";
constexpr std::size_t kIdBytes = 6;
constexpr std::size_t kIdChars = 12;
constexpr std::size_t kSecretBytes = 32;
constexpr std::size_t kSecretChars = 43;
constexpr std::size_t kFileBytesMax = 16 * 1024 * 1024;

std::string Base64Url(std::string_view bytes) {
  std::string text = EncodeBase64(bytes);
  for (char& c : text) c = c == '+' ? '-' : c == '/' ? '_' : c;
  while (text.ends_with('=')) text.pop_back();
  return text;
}

bool SameDigest(const std::string& a, const std::string& b) {
  return a.size() == b.size() && ::CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

bool Usable(const ApiKey& key, std::int64_t now_us) {
  return key.revoked_us == 0 && (key.expires_us == 0 || now_us < key.expires_us);
}

}  // namespace

Expected<NewKey> MakeKey(std::string name, Scopes scopes, const KeyQuota& quota, std::int64_t now_us) {
  std::array<char, kIdBytes + kSecretBytes> random{};
  if (::getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size())) {
    return FailErrno(ErrorCode::kInternal, "the host gives no random bytes: try again", "getrandom");
  }
  NewKey made;
  for (std::size_t i = 0; i < kIdBytes; ++i) {
    made.key.id += fmt::format("{:02x}", static_cast<unsigned char>(random[i]));
  }
  made.text =
      fmt::format("{}{}_{}", kPrefix, made.key.id, Base64Url({random.data() + kIdBytes, kSecretBytes}));
  made.key.name = std::move(name);
  made.key.sha256 = Sha256Hex(made.text);
  made.key.scopes = scopes;
  made.key.quota = quota;
  made.key.created_us = now_us;
  return made;
}

std::optional<std::string_view> KeyId(std::string_view text) {
  if (text.size() != kPrefix.size() + kIdChars + 1 + kSecretChars || !text.starts_with(kPrefix)) return {};
  const std::string_view id = text.substr(kPrefix.size(), kIdChars);
  if (id.find_first_not_of("0123456789abcdef") != id.npos || text[kPrefix.size() + kIdChars] != '_')
    return {};
  return id;
}

Expected<std::vector<ApiKey>> KeyStore::List() const {
  const auto text = ReadFile(path_, kFileBytesMax);
  if (!text && text.error().code == ErrorCode::kNotFound) return std::vector<ApiKey>();
  if (!text) return std::unexpected(text.error());
  auto keys = DecodeKeys(*text);
  if (!keys) {
    return Fail(ErrorCode::kInternal,
                fmt::format("{} is no key file: put it right or remove it, and make keys anew", path_),
                keys.error().message);
  }
  return keys;
}

template <typename Change>
Expected<void> KeyStore::Update(const Change& change) const {
  if (auto made = MakeFolders(path_.substr(0, path_.rfind('/')), 0700); !made) return made;
  // Two commands at once must not lose each other's key.
  const auto lock = OpenFile(path_ + ".lock", O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
  if (!lock) return std::unexpected(lock.error());
  if (::flock(lock->get(), LOCK_EX) != 0) {
    return FailErrno(ErrorCode::kInternal, "the key file cannot be locked", "flock " + path_);
  }
  auto keys = List();
  if (!keys) return std::unexpected(keys.error());
  if (auto changed = change(*keys); !changed) return changed;
  return WriteFileAtomically(path_, EncodeKeys(*keys), 0600);
}

Expected<void> KeyStore::Add(const ApiKey& key) const {
  return Update([&key](std::vector<ApiKey>& keys) -> Expected<void> {
    keys.push_back(key);
    return {};
  });
}

Expected<ApiKey> KeyStore::Revoke(const std::string& id_or_name, std::int64_t now_us) const {
  ApiKey revoked;
  auto done = Update([&](std::vector<ApiKey>& keys) -> Expected<void> {
    std::vector<ApiKey*> meant;
    for (ApiKey& key : keys) {
      if (key.id == id_or_name || (key.name == id_or_name && key.revoked_us == 0)) meant.push_back(&key);
    }
    if (meant.empty()) {
      return Fail(ErrorCode::kNotFound,
                  fmt::format("there is no key \"{}\": casemate keys list tells what there is", id_or_name));
    }
    if (meant.size() > 1) {
      return Fail(ErrorCode::kInvalidRequest,
                  fmt::format("{} keys have the name \"{}\": name one by its id", meant.size(), id_or_name));
    }
    if (meant[0]->revoked_us == 0) meant[0]->revoked_us = now_us;
    revoked = *meant[0];
    return {};
  });
  if (!done) return std::unexpected(done.error());
  return revoked;
}

Expected<bool> KeyStore::HasUsable(std::int64_t now_us) const {
  const auto keys = List();
  if (!keys) return std::unexpected(keys.error());
  return std::ranges::any_of(*keys, [now_us](const ApiKey& key) { return Usable(key, now_us); });
}

Expected<void> KeyStore::Refresh() {
  struct stat file {};
  Stamp stamp;
  if (::stat(path_.c_str(), &file) == 0) {
    constexpr std::int64_t kNs = 1'000'000'000;
    stamp = {static_cast<std::int64_t>(file.st_ino), file.st_size,
             file.st_ctim.tv_sec * kNs + file.st_ctim.tv_nsec};
  }
  if (stamp_ == stamp) return {};
  auto keys = List();
  if (!keys) return std::unexpected(keys.error());
  by_id_.clear();
  for (ApiKey& key : *keys) {
    std::string id = key.id;
    by_id_[std::move(id)] = std::make_shared<const ApiKey>(std::move(key));
  }
  stamp_ = stamp;
  return {};
}

Expected<std::shared_ptr<const ApiKey>> KeyStore::Find(std::string_view text, std::int64_t now_us) {
  const auto id = KeyId(text);
  if (!id) return nullptr;
  const std::string digest = Sha256Hex(text);
  const std::lock_guard lock(mutex_);
  if (auto read = Refresh(); !read) return std::unexpected(read.error());
  const auto found = by_id_.find(*id);
  if (found == by_id_.end() || !SameDigest(found->second->sha256, digest)) return nullptr;
  return Usable(*found->second, now_us) ? found->second : nullptr;
}

}  // namespace casemate
