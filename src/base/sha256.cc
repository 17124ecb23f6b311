#include "base/sha256.h"

// The one-shot SHA256() loads the whole provider machinery, 1 ms at the first call; these are the plain
// function.
#define OPENSSL_API_COMPAT 0x10100000L
#include <openssl/sha.h>

#include <array>
#include <cstring>

namespace casemate {
namespace {

using Digest = std::array<unsigned char, SHA256_DIGEST_LENGTH>;

std::string Finish(SHA256_CTX context) {
  Digest digest{};
  SHA256_Final(digest.data(), &context);
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex(digest.size() * 2, '0');
  for (std::size_t i = 0; i < digest.size(); ++i) {
    hex[2 * i] = kDigits[digest[i] >> 4U];
    hex[2 * i + 1] = kDigits[digest[i] & 15U];
  }
  return hex;
}

}  // namespace

std::string Sha256Hex(std::string_view bytes) {
  SHA256_CTX context;
  SHA256_Init(&context);
  SHA256_Update(&context, bytes.data(), bytes.size());
  return Finish(context);
}

Sha256::Sha256() {
  static_assert(sizeof(SHA256_CTX) == kStateBytes);
  SHA256_CTX context;
  SHA256_Init(&context);
  std::memcpy(state_.data(), &context, sizeof context);
}

void Sha256::Update(std::string_view bytes) {
  SHA256_CTX context;
  std::memcpy(&context, state_.data(), sizeof context);
  SHA256_Update(&context, bytes.data(), bytes.size());
  std::memcpy(state_.data(), &context, sizeof context);
}

std::string Sha256::Hex() const {
  SHA256_CTX context;
  std::memcpy(&context, state_.data(), sizeof context);
  return Finish(context);
}

}  // namespace casemate
