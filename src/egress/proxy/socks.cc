#include "egress/proxy/socks.h"

#include <algorithm>
#include <array>

namespace casemate::egress {
namespace {

using State = SocksRead::State;

constexpr std::uint8_t kVersion = 5;
constexpr std::size_t kHead = 4;  // version, command, reserved, type of address
constexpr std::uint8_t kIpv4 = 1;
constexpr std::uint8_t kName = 3;
constexpr std::uint8_t kIpv6 = 4;

}  // namespace

SocksGreeting ReadSocksGreeting(std::span<const std::uint8_t> bytes) {
  SocksGreeting greeting;
  if (!bytes.empty() && bytes[0] != kVersion) greeting.state = State::kInvalid;
  if (bytes.size() < 2 || greeting.state == State::kInvalid) return greeting;
  const std::size_t methods = bytes[1];
  if (bytes.size() < 2 + methods) return greeting;
  greeting.state = State::kRead;
  greeting.used = 2 + methods;
  greeting.offers_no_authentication =
      std::ranges::find(bytes.subspan(2, methods), 0) != bytes.subspan(2, methods).end();
  return greeting;
}

SocksRequest ReadSocksRequest(std::span<const std::uint8_t> bytes) {
  SocksRequest request;
  if (!bytes.empty() && bytes[0] != kVersion) request.state = State::kInvalid;
  if (bytes.size() < kHead + 1 || request.state == State::kInvalid) return request;
  std::size_t at = kHead;
  std::size_t size = 0;
  switch (bytes[3]) {
    case kIpv4:
      size = 4;
      break;
    case kIpv6:
      size = 16;
      break;
    case kName:
      size = bytes[at++];
      break;
    default:
      request.state = State::kInvalid;
      return request;
  }
  if (bytes.size() < at + size + 2) return request;
  const auto host = bytes.subspan(at, size);
  const auto port = static_cast<std::uint16_t>(bytes[at + size] << 8 | bytes[at + size + 1]);
  std::string name(host.begin(), host.end());
  if (bytes[3] == kIpv4) {
    std::array<std::uint8_t, 4> four{};
    std::ranges::copy(host, four.begin());
    name = Address::V4(four).ToString();
  } else if (bytes[3] == kIpv6) {
    std::array<std::uint8_t, 16> sixteen{};
    std::ranges::copy(host, sixteen.begin());
    name = Address::V6(sixteen).ToString();
  }
  request.state = State::kRead;
  request.used = at + size + 2;
  request.command = bytes[1];
  request.destination = MakeDestination(name, port);
  for (const char c : name) request.text += c > ' ' && c <= '~' ? c : '?';
  request.text += ":" + std::to_string(port);
  return request;
}

}  // namespace casemate::egress
