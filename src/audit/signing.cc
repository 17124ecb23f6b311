#include "audit/signing.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sodium/crypto_sign_ed25519.h>
#include <sodium/utils.h>
#include <sys/random.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "base/errno.h"
#include "base/file.h"

namespace casemate::audit {
namespace {

using Seed = std::array<unsigned char, crypto_sign_ed25519_SEEDBYTES>;

std::string ToHex(std::string_view bytes) {
  std::string hex;
  for (const char byte : bytes) hex += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return hex;
}

std::string_view View(const unsigned char* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

int Nibble(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  return -1;
}

template <std::size_t kBytes>
bool FromHex(std::string_view hex, std::array<unsigned char, kBytes>& bytes) {
  if (hex.size() != 2 * kBytes) return false;
  for (std::size_t i = 0; i < kBytes; ++i) {
    const int high = Nibble(hex[2 * i]);
    const int low = Nibble(hex[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    bytes[i] = static_cast<unsigned char>(high * 16 + low);
  }
  return true;
}

std::string KeyPath(const std::string& folder) { return folder + "/signing.key"; }

Expected<void> MakeKey(const std::string& folder) {
  Seed seed{};
  if (::getrandom(seed.data(), seed.size(), 0) != static_cast<ssize_t>(seed.size())) {
    return FailErrno(ErrorCode::kInternal, "there is no randomness for the audit log's key", "getrandom");
  }
  auto written = WriteFileAtomically(KeyPath(folder), ToHex(View(seed.data(), seed.size())) + "\n", 0600);
  ::sodium_memzero(seed.data(), seed.size());
  return written;
}

}  // namespace

std::string PublicKeyPath(const std::string& folder) { return folder + "/signing.pub"; }

SigningKey::~SigningKey() { ::sodium_memzero(secret_.data(), secret_.size()); }

Expected<SigningKey> SigningKey::Load(const std::string& folder) {
  static_assert(kSecretBytes == crypto_sign_ed25519_SECRETKEYBYTES);
  const std::string path = KeyPath(folder);
  if (!FileExists(path)) {
    if (auto made = MakeKey(folder); !made) return std::unexpected(std::move(made.error()));
  }
  auto text = ReadFile(path, 1024);
  if (!text) return std::unexpected(std::move(text.error()));
  if (text->ends_with('\n')) text->pop_back();
  Seed seed{};
  const bool is_key = FromHex(*text, seed);
  ::sodium_memzero(text->data(), text->size());
  if (!is_key) {
    return Fail(
        ErrorCode::kInvalidRequest,
        fmt::format("{} holds no key: put the log's own key back, or move the whole folder away", path));
  }
  SigningKey key;
  std::array<unsigned char, crypto_sign_ed25519_PUBLICKEYBYTES> own_public{};
  ::crypto_sign_ed25519_seed_keypair(own_public.data(), key.secret_.data(), seed.data());
  ::sodium_memzero(seed.data(), seed.size());
  key.public_key_ = ToHex(View(own_public.data(), own_public.size()));
  if (!FileExists(PublicKeyPath(folder))) {
    auto written = WriteFileAtomically(PublicKeyPath(folder), key.public_key_ + "\n", 0644);
    if (!written) return std::unexpected(std::move(written.error()));
  }
  return key;
}

std::string SigningKey::Sign(std::string_view message) const {
  std::array<unsigned char, crypto_sign_ed25519_BYTES> signature{};
  ::crypto_sign_ed25519_detached(signature.data(), nullptr,
                                 reinterpret_cast<const unsigned char*>(message.data()), message.size(),
                                 secret_.data());
  return ToHex(View(signature.data(), signature.size()));
}

Expected<std::string> ReadPublicKey(const std::string& path) {
  auto text = ReadFile(path, 1024);
  if (!text) return text;
  if (text->ends_with('\n')) text->pop_back();
  std::array<unsigned char, crypto_sign_ed25519_PUBLICKEYBYTES> bytes{};
  if (!FromHex(*text, bytes)) {
    return Fail(
        ErrorCode::kInvalidRequest,
        fmt::format("{} holds no public key, which has {} hexadecimal digits", path, kPublicKeyDigits));
  }
  return text;
}

bool IsSignatureOf(std::string_view public_key, std::string_view signature, std::string_view message) {
  std::array<unsigned char, crypto_sign_ed25519_PUBLICKEYBYTES> key{};
  std::array<unsigned char, crypto_sign_ed25519_BYTES> bytes{};
  return FromHex(public_key, key) && FromHex(signature, bytes) &&
         ::crypto_sign_ed25519_verify_detached(bytes.data(),
                                               reinterpret_cast<const unsigned char*>(message.data()),
                                               message.size(), key.data()) == 0;
}

}  // namespace casemate::audit
