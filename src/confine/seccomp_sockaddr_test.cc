#include "confine/seccomp_sockaddr.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>
#include <vector>

namespace casemate {
namespace {

std::vector<std::byte> Ipv6Bytes(const char* address, std::uint16_t port) {
  sockaddr_in6 six = {};
  six.sin6_family = AF_INET6;
  six.sin6_port = htons(port);
  inet_pton(AF_INET6, address, &six.sin6_addr);
  std::vector<std::byte> bytes(sizeof(six));
  std::memcpy(bytes.data(), &six, sizeof(six));
  return bytes;
}

std::vector<std::byte> Ipv4Bytes(const char* address, std::uint16_t port) {
  sockaddr_in four = {};
  four.sin_family = AF_INET;
  four.sin_port = htons(port);
  inet_pton(AF_INET, address, &four.sin_addr);
  std::vector<std::byte> bytes(sizeof(four));
  std::memcpy(bytes.data(), &four, sizeof(four));
  return bytes;
}

TEST(ReadPeerAddressTest, NetworkAddresses) {
  const PeerAddress four = ReadPeerAddress(Ipv4Bytes("192.0.2.1", 65535));
  EXPECT_EQ(four.reach, PeerAddress::Reach::kNetwork);
  EXPECT_EQ(four.text, "192.0.2.1:65535");
  EXPECT_EQ(four.port, 65535);
  EXPECT_FALSE(four.loopback);
  EXPECT_EQ(ReadPeerAddress(Ipv6Bytes("2001:db8::1", 443)).text, "[2001:db8::1]:443");
  std::vector<std::byte> longer = Ipv4Bytes("192.0.2.1", 1);
  longer.resize(128);
  EXPECT_EQ(ReadPeerAddress(longer).text, "192.0.2.1:1");
}

TEST(ReadPeerAddressTest, Loopback) {
  EXPECT_TRUE(ReadPeerAddress(Ipv4Bytes("127.5.0.1", 1)).loopback);
  EXPECT_TRUE(ReadPeerAddress(Ipv6Bytes("::1", 1)).loopback);
  EXPECT_TRUE(ReadPeerAddress(Ipv6Bytes("::ffff:127.0.0.1", 1)).loopback);
  EXPECT_FALSE(ReadPeerAddress(Ipv6Bytes("::ffff:192.0.2.1", 1)).loopback);
}

TEST(ReadPeerAddressTest, LocalAddresses) {
  for (const sa_family_t family : {sa_family_t{AF_UNIX}, sa_family_t{AF_UNSPEC}}) {
    std::vector<std::byte> bytes(16);
    std::memcpy(bytes.data(), &family, sizeof(family));
    const PeerAddress peer = ReadPeerAddress(bytes);
    EXPECT_EQ(peer.reach, PeerAddress::Reach::kLocal);
    EXPECT_EQ(peer.text, "");
  }
}

TEST(ReadPeerAddressTest, TooShortOrStrange) {
  EXPECT_EQ(ReadPeerAddress({}).reach, PeerAddress::Reach::kInvalid);
  EXPECT_EQ(ReadPeerAddress(std::vector<std::byte>(1)).reach, PeerAddress::Reach::kInvalid);
  for (std::vector<std::byte> bytes : {Ipv4Bytes("192.0.2.1", 1), Ipv6Bytes("2001:db8::1", 1)}) {
    const std::size_t needed = bytes.size() == sizeof(sockaddr_in) ? bytes.size() : 24;
    for (std::size_t size = 0; size < needed; ++size) {
      EXPECT_EQ(ReadPeerAddress(std::span(bytes).first(size)).reach, PeerAddress::Reach::kInvalid) << size;
    }
    EXPECT_EQ(ReadPeerAddress(std::span(bytes).first(needed)).reach, PeerAddress::Reach::kNetwork);
  }
  std::vector<std::byte> strange(16, std::byte{0xff});
  EXPECT_EQ(ReadPeerAddress(strange).reach, PeerAddress::Reach::kInvalid);
}

}  // namespace
}  // namespace casemate
