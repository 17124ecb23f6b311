#pragma once

#include <array>
#include <string>
#include <string_view>

#include "casemate/error.h"

// Ed25519 (RFC 8032) by libsodium: as part of a program it costs a start nothing. OpenSSL's own, linked in,
// costs 0.3 ms of each start, and 1.1 ms more when it is used (docs/decisions/0010-audit-log.md).

namespace casemate::audit {

inline constexpr std::size_t kPublicKeyDigits = 64;
inline constexpr std::size_t kSignatureDigits = 128;

class SigningKey {
 public:
  // Reads the key of the log in `folder`, which is made when there is none. Errors: kInvalidRequest for a
  // file that is no key, kInternal.
  static Expected<SigningKey> Load(const std::string& folder);

  SigningKey(SigningKey&&) = default;
  SigningKey& operator=(SigningKey&&) = default;
  ~SigningKey();

  std::string Sign(std::string_view message) const;  // kSignatureDigits
  const std::string& public_key() const { return public_key_; }

 private:
  SigningKey() = default;
  static constexpr std::size_t kSecretBytes = 64;
  std::array<unsigned char, kSecretBytes> secret_{};
  std::string public_key_;
};

// Reads a file with one public key, in hexadecimal digits.
Expected<std::string> ReadPublicKey(const std::string& path);
std::string PublicKeyPath(const std::string& folder);

// Whether `signature` (digits) is that of `public_key` (digits) under `message`; false for what is none.
bool IsSignatureOf(std::string_view public_key, std::string_view signature, std::string_view message);

}  // namespace casemate::audit
