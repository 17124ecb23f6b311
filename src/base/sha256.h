#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

namespace casemate {

// SHA-256 (FIPS 180-4) as 64 lower-case hexadecimal digits.
std::string Sha256Hex(std::string_view bytes);

// The same of bytes that come in pieces. One thread.
class Sha256 {
 public:
  Sha256();
  void Update(std::string_view bytes);
  // Of all bytes so far; more may follow.
  std::string Hex() const;

 private:
  static constexpr std::size_t kStateBytes = 112;  // of the library's state; checked where that is known
  alignas(8) std::array<std::byte, kStateBytes> state_{};
};

}  // namespace casemate
