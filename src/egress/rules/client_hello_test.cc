#include "egress/rules/client_hello.h"

#include <gtest/gtest.h>

#include <string_view>
#include <vector>

namespace casemate::egress {
namespace {

using Bytes = std::vector<std::uint8_t>;
using State = ClientHello::State;

void Number(Bytes& to, std::size_t value, int width) {
  for (int shift = 8 * (width - 1); shift >= 0; shift -= 8)
    to.push_back(static_cast<std::uint8_t>(value >> shift));
}
void Vector(Bytes& to, const Bytes& content, int width) {
  Number(to, content.size(), width);
  to.insert(to.end(), content.begin(), content.end());
}
Bytes Extension(std::size_t type, const Bytes& content) {
  Bytes bytes;
  Number(bytes, type, 2);
  Vector(bytes, content, 2);
  return bytes;
}
Bytes ServerName(std::string_view name, int times = 1) {
  Bytes entries;
  for (int i = 0; i < times; ++i) {
    entries.push_back(0);
    Vector(entries, Bytes(name.begin(), name.end()), 2);
  }
  Bytes list;
  Vector(list, entries, 2);
  return Extension(0, list);
}
Bytes Message(const Bytes& extensions) {
  Bytes body(34, 3);
  Vector(body, Bytes(32, 7), 1);
  Vector(body, {0x13, 0x01}, 2);
  Vector(body, {0}, 1);
  Vector(body, extensions, 2);
  Bytes message{1};
  Vector(message, body, 3);
  return message;
}
// In records of `piece` bytes.
Bytes Records(const Bytes& message, std::size_t piece = 16384) {
  Bytes bytes;
  for (std::size_t at = 0; at < message.size(); at += piece) {
    const std::size_t size = std::min(piece, message.size() - at);
    const auto first = message.begin() + static_cast<std::ptrdiff_t>(at);
    bytes.insert(bytes.end(), {22, 3, 1});
    Vector(bytes, Bytes(first, first + static_cast<std::ptrdiff_t>(size)), 2);
  }
  return bytes;
}
Bytes Join(Bytes one, const Bytes& other) {
  one.insert(one.end(), other.begin(), other.end());
  return one;
}

TEST(ClientHelloTest, HasItsName) {
  const ClientHello hello =
      ReadClientHello(Records(Message(Join(Extension(43, {2, 3, 4}), ServerName("a.example")))));
  EXPECT_EQ(hello.state, State::kWhole);
  EXPECT_EQ(hello.server_name, "a.example");
  EXPECT_FALSE(hello.hides_name);
}

TEST(ClientHelloTest, EveryBeginningAsksForMore) {
  for (const std::size_t piece : {1UL, 5UL, 60UL, 16384UL}) {
    const Bytes whole = Records(Message(ServerName("a.example")), piece);
    for (std::size_t size = 0; size < whole.size(); ++size)
      EXPECT_EQ(ReadClientHello(std::span(whole).first(size)).state, State::kMore) << piece << " " << size;
    EXPECT_EQ(ReadClientHello(whole).server_name, "a.example");
  }
}

TEST(ClientHelloTest, WithoutANameItHasNone) {
  const ClientHello hello = ReadClientHello(Records(Message(Extension(43, {2, 3, 4}))));
  EXPECT_EQ(hello.state, State::kWhole);
  EXPECT_FALSE(hello.has_name);
}

TEST(ClientHelloTest, AHiddenNameIsTold) {
  for (const std::size_t type : {0xfe0dUL, 0xffceUL}) {
    EXPECT_TRUE(
        ReadClientHello(Records(Message(Join(ServerName("a.example"), Extension(type, {0, 1}))))).hides_name);
  }
}

TEST(ClientHelloTest, TwoNamesAreNone) {
  EXPECT_EQ(ReadClientHello(Records(Message(ServerName("a.example", 2)))).state, State::kInvalid);
  EXPECT_EQ(ReadClientHello(Records(Message(Join(ServerName("a.example"), ServerName("b.example"))))).state,
            State::kInvalid);
  EXPECT_EQ(ReadClientHello(Records(Message(ServerName("")))).state, State::kInvalid);
}

TEST(ClientHelloTest, LengthsThatLieAreInvalid) {
  const Bytes good = Message(ServerName("a.example"));
  // Behind the header of the message, in which a longer length asks for more.
  for (std::size_t at = 38; at + 9 < good.size(); ++at) {
    Bytes bad = good;
    bad[at] = 0xff;
    const ClientHello hello = ReadClientHello(Records(bad));
    EXPECT_TRUE(hello.state == State::kInvalid || hello.state == State::kWhole);
    EXPECT_LE(hello.server_name.size(), 9U);
  }
  EXPECT_EQ(ReadClientHello(Records(Join(good, {0}))).state, State::kInvalid);
}

TEST(ClientHelloTest, OtherProtocols) {
  for (const std::string_view text : {"GET / HTTP/1.1\r\n", "SSH-2.0-x\r\n", "\x16\x02", "\x80\x2e\x01"}) {
    EXPECT_EQ(ReadClientHello(Bytes(text.begin(), text.end())).state, State::kNotTls) << text;
  }
  EXPECT_EQ(ReadClientHello(Bytes{22, 3, 1, 0, 0}).state, State::kInvalid);
  EXPECT_EQ(ReadClientHello(Bytes{22, 3, 1, 0xff, 0xff}).state, State::kInvalid);
  EXPECT_EQ(ReadClientHello(Bytes{22, 3, 1, 0, 1, 2}).state, State::kInvalid);
  EXPECT_EQ(ReadClientHello(Bytes{22, 3, 1, 0, 4, 1, 0xff, 0xff, 0xff}).state, State::kInvalid);
}

}  // namespace
}  // namespace casemate::egress
