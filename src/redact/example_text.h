#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace casemate {

// An example of a rule with each {{ALPHABET:COUNT}} made of characters that `seed` chooses.
inline std::string ExpandExample(std::string_view text, std::uint64_t seed) {
  const auto alphabet = [](std::string_view name) -> std::string_view {
    constexpr std::string_view kAlnum = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_";
    if (name == "alnum") return kAlnum.substr(0, 62);
    if (name == "alpha") return kAlnum.substr(0, 52);
    if (name == "lower") return kAlnum.substr(26, 26);
    if (name == "alnumlower") return kAlnum.substr(26, 36);
    if (name == "b64") return kAlnum.substr(0, 64);
    if (name == "b64url") return "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    if (name == "hex") return "0123456789abcdef";
    if (name == "digits") return "0123456789";
    if (name == "base32") return "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    if (name == "bech32") return "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L";
    return {};
  };
  std::string out;
  std::uint64_t state = seed * 0x9E3779B97F4A7C15U + 1;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t open = text.find("{{", at);
    const std::size_t colon = open == text.npos ? text.npos : text.find(':', open);
    const std::size_t close = colon == text.npos ? text.npos : text.find("}}", colon);
    const std::string_view letters =
        close == text.npos ? std::string_view() : alphabet(text.substr(open + 2, colon - open - 2));
    if (letters.empty()) {
      out += text.substr(at);
      break;
    }
    out += text.substr(at, open - at);
    for (int count = std::stoi(std::string(text.substr(colon + 1, close - colon - 1))); count > 0; --count) {
      state ^= state << 13U;
      state ^= state >> 7U;
      state ^= state << 17U;
      out += letters[(state >> 33U) % letters.size()];
    }
    at = close + 2;
  }
  return out;
}

}  // namespace casemate
