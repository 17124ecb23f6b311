#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace casemate::egress {

// An IPv4 or IPv6 address. An IPv4 address that is written into an IPv6 one (::ffff:192.0.2.1) is the IPv4
// address: the kernel connects to it.
class Address {
 public:
  // As inet_pton(3) reads it, and no other way: not "127.1", "0x7f000001" or a zone ("fe80::1%eth0").
  static std::optional<Address> Parse(std::string_view text);
  static Address V4(const std::array<std::uint8_t, 4>& bytes);
  static Address V6(const std::array<std::uint8_t, 16>& bytes);

  bool v4() const { return v4_; }
  const std::array<std::uint8_t, 16>& bytes() const { return bytes_; }  // of an IPv4 address the first four
  std::string ToString() const;
  friend bool operator==(const Address&, const Address&) = default;

 private:
  bool v4_ = true;
  std::array<std::uint8_t, 16> bytes_{};
};

struct AddressRange {
  Address first;
  int bits = 0;

  // "10.0.0.0/8", "2001:db8::/32"; a single address is a range of one. Nothing for what has bits set behind
  // the prefix, which is a mistake of whoever wrote it.
  static std::optional<AddressRange> Parse(std::string_view text);
  bool Contains(const Address& address) const;
};

// What is special about `address` ("this host's loopback (RFC 1122)"); empty for one of the public Internet.
// The table is profiles/egress/special_addresses.txt.
std::string_view SpecialPurpose(const Address& address);

}  // namespace casemate::egress
