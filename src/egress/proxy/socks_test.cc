#include "egress/proxy/socks.h"

#include <gtest/gtest.h>

#include <string_view>
#include <vector>

namespace casemate::egress {
namespace {

using std::string_view_literals::operator""sv;
using State = SocksRead::State;

std::vector<std::uint8_t> Bytes(std::string_view text) { return {text.begin(), text.end()}; }

TEST(SocksTest, GreetingsAreReadToTheirEnd) {
  EXPECT_EQ(ReadSocksGreeting({}).state, State::kMore);
  EXPECT_EQ(ReadSocksGreeting(Bytes("\x05\x02\x02"sv)).state, State::kMore);
  const auto greeting = ReadSocksGreeting(Bytes("\x05\x02\x02\x00rest"sv));
  EXPECT_EQ(greeting.state, State::kRead);
  EXPECT_EQ(greeting.used, 4U);
  EXPECT_TRUE(greeting.offers_no_authentication);
  EXPECT_FALSE(ReadSocksGreeting(Bytes("\x05\x01\x02"sv)).offers_no_authentication);
  EXPECT_EQ(ReadSocksGreeting(Bytes("\x04"sv)).state, State::kInvalid);
}

TEST(SocksTest, RequestsOfAllThreeKinds) {
  const auto name =
      ReadSocksRequest(Bytes("\x05\x01\x00\x03\x09"
                             "A.Example\x01\xbbrest"sv));
  EXPECT_EQ(name.state, State::kRead);
  EXPECT_EQ(name.used, 16U);
  EXPECT_EQ(name.command, kSocksConnect);
  EXPECT_EQ(name.destination->ToString(), "a.example:443");
  EXPECT_EQ(ReadSocksRequest(Bytes("\x05\x01\x00\x01\x0a\x00\x00\x01\x00\x50"sv)).destination->ToString(),
            "10.0.0.1:80");
  EXPECT_EQ(ReadSocksRequest(
                Bytes("\x05\x01\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x7f\x00\x00\x01"
                      "\x00\x50"sv))
                .destination->ToString(),
            "127.0.0.1:80");
}

TEST(SocksTest, WhatIsNoneIsNone) {
  EXPECT_EQ(ReadSocksRequest(Bytes("\x05\x01\x00\x02\x00\x00"sv)).state, State::kInvalid);
  EXPECT_EQ(ReadSocksRequest(Bytes("\x05\x01\x00\x03\xff"
                                   "a"sv))
                .state,
            State::kMore);
  const auto empty = ReadSocksRequest(Bytes("\x05\x01\x00\x03\x00\x00\x50"sv));
  EXPECT_EQ(empty.state, State::kRead);
  EXPECT_FALSE(empty.destination);
  EXPECT_FALSE(ReadSocksRequest(Bytes("\x05\x01\x00\x03\x03"
                                      "a\0b\x00\x50"sv))
                   .destination);
  EXPECT_EQ(ReadSocksRequest(Bytes("\x05\x01\x00\x03\x03"
                                   "a\nb\x00\x50"sv))
                .text,
            "a?b:80");
}

}  // namespace
}  // namespace casemate::egress
