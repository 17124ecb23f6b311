#include "egress/rules/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

namespace casemate {
namespace embedded {
std::string_view EgressProfile(std::string_view path);
}  // namespace embedded

namespace egress {
namespace {

constexpr int kV4Bits = 32;
constexpr int kV6Bits = 128;

std::vector<std::pair<AddressRange, std::string_view>> ReadTable() {
  std::vector<std::pair<AddressRange, std::string_view>> table;
  std::string_view text = embedded::EgressProfile("profiles/egress/special_addresses.txt");
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.starts_with('#') || line.empty()) continue;
    const std::size_t space = line.find(' ');
    const auto range = AddressRange::Parse(line.substr(0, space));
    // A unit test reads every line.
    if (range && space != std::string_view::npos) table.emplace_back(*range, line.substr(space + 1));
  }
  return table;
}

}  // namespace

Address Address::V4(const std::array<std::uint8_t, 4>& bytes) {
  Address address;
  std::ranges::copy(bytes, address.bytes_.begin());
  return address;
}

Address Address::V6(const std::array<std::uint8_t, 16>& bytes) {
  constexpr std::array<std::uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (std::equal(kMapped.begin(), kMapped.end(), bytes.begin()))
    return V4({bytes[12], bytes[13], bytes[14], bytes[15]});
  Address address;
  address.v4_ = false;
  address.bytes_ = bytes;
  return address;
}

std::optional<Address> Address::Parse(std::string_view text) {
  if (text.size() >= INET6_ADDRSTRLEN || text.find('\0') != std::string_view::npos) return std::nullopt;
  const std::string copy(text);
  std::array<std::uint8_t, 4> four{};
  if (inet_pton(AF_INET, copy.c_str(), four.data()) == 1) return V4(four);
  std::array<std::uint8_t, 16> sixteen{};
  if (inet_pton(AF_INET6, copy.c_str(), sixteen.data()) == 1) return V6(sixteen);
  return std::nullopt;
}

std::string Address::ToString() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(v4_ ? AF_INET : AF_INET6, bytes_.data(), text.data(), text.size());
  return text.data();
}

std::optional<AddressRange> AddressRange::Parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto first = Address::Parse(text.substr(0, slash));
  if (!first) return std::nullopt;
  AddressRange range{*first, first->v4() ? kV4Bits : kV6Bits};
  if (slash == std::string_view::npos) return range;
  const std::string_view digits = text.substr(slash + 1);
  const int most = range.bits;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), range.bits);
  if (error != std::errc() || end != digits.data() + digits.size() || range.bits < 0 || range.bits > most)
    return std::nullopt;
  for (int bit = range.bits; bit < most; ++bit) {
    if ((first->bytes()[static_cast<std::size_t>(bit / 8)] >> (7 - bit % 8) & 1) != 0) return std::nullopt;
  }
  return range;
}

bool AddressRange::Contains(const Address& address) const {
  if (address.v4() != first.v4()) return false;
  const auto whole = static_cast<std::size_t>(bits / 8);
  if (!std::equal(first.bytes().begin(), first.bytes().begin() + static_cast<std::ptrdiff_t>(whole),
                  address.bytes().begin()))
    return false;
  const int rest = bits % 8;
  return rest == 0 || (first.bytes()[whole] ^ address.bytes()[whole]) >> (8 - rest) == 0;
}

std::string_view SpecialPurpose(const Address& address) {
  static const auto kTable = ReadTable();
  for (const auto& [range, purpose] : kTable) {
    if (range.Contains(address)) return purpose;
  }
  return {};
}

}  // namespace egress
}  // namespace casemate
