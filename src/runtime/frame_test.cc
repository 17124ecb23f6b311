#include "runtime/frame.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

namespace casemate {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::array kLimits = {FrameLimit{FrameType::kStarted, 0}, FrameLimit{FrameType::kResult, 10}};

std::string Header(char type, std::uint32_t size) {
  std::string header(1, type);
  for (unsigned shift = 0; shift < 32; shift += 8) header += static_cast<char>((size >> shift) & 0xFF);
  return header;
}

TEST(FrameTest, EncodesTypeLengthAndPayload) {
  EXPECT_EQ(EncodeFrame(FrameType::kGo, ""), std::string("g\0\0\0\0", 5));
  EXPECT_EQ(EncodeFrame(FrameType::kCode, "ab"), std::string("c\2\0\0\0ab", 7));
  EXPECT_EQ(EncodeFrame(FrameType::kCode, std::string(0x10203, 'x')).substr(0, 5),
            std::string("c\3\2\1\0", 5));
}

TEST(FrameReaderTest, ReadsFramesHoweverTheyAreCut) {
  const std::string stream = EncodeFrame(FrameType::kStarted, "") + EncodeFrame(FrameType::kResult, "[1,2]") +
                             EncodeFrame(FrameType::kResult, "");
  for (std::size_t piece = 1; piece <= stream.size(); ++piece) {
    FrameReader reader(kLimits, 1000);
    std::vector<Frame> frames;
    for (std::size_t at = 0; at < stream.size(); at += piece) {
      ASSERT_FALSE(reader.Feed(std::string_view(stream).substr(at, piece), frames)) << piece;
    }
    EXPECT_THAT(frames, ElementsAre(Frame{FrameType::kStarted, ""}, Frame{FrameType::kResult, "[1,2]"},
                                    Frame{FrameType::kResult, ""}));
    EXPECT_FALSE(reader.Finish());
  }
}

TEST(FrameReaderTest, RefusesUnknownTypesAfterDeliveringWhatCameBefore) {
  FrameReader reader(kLimits, 1000);
  std::vector<Frame> frames;
  const auto error = reader.Feed(EncodeFrame(FrameType::kStarted, "") + Header('q', 0), frames);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->kind, FrameError::Kind::kUnknownType);
  EXPECT_THAT(error->message, ::testing::HasSubstr("0x71"));
  EXPECT_EQ(frames.size(), 1U);
  // It stays so.
  const auto again = reader.Feed(EncodeFrame(FrameType::kStarted, ""), frames);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->kind, FrameError::Kind::kUnknownType);
  EXPECT_EQ(frames.size(), 1U);
}

TEST(FrameReaderTest, RefusesTheRequestsOwnTypes) {
  FrameReader reader(kLimits, 1000);
  std::vector<Frame> frames;
  EXPECT_TRUE(reader.Feed(EncodeFrame(FrameType::kGo, ""), frames));
}

TEST(FrameReaderTest, RefusesAPayloadOverItsTypesLimitByItsHeaderAlone) {
  for (const auto& [header, ok] : {std::pair{Header('R', 10), true},
                                   {Header('R', 11), false},
                                   {Header('S', 1), false},
                                   {Header('R', 0xFFFFFFFF), false}}) {
    FrameReader reader(kLimits, 1000);
    std::vector<Frame> frames;
    const auto error = reader.Feed(header, frames);
    EXPECT_EQ(!error, ok);
    if (error) {
      EXPECT_EQ(error->kind, FrameError::Kind::kTooLarge);
    }
    EXPECT_THAT(frames, IsEmpty());
  }
}

TEST(FrameReaderTest, RefusesMoreThanTheTotal) {
  FrameReader reader(kLimits, 12);
  std::vector<Frame> frames;
  EXPECT_FALSE(
      reader.Feed(EncodeFrame(FrameType::kStarted, "") + EncodeFrame(FrameType::kResult, "ab"), frames));
  const auto error = reader.Feed(EncodeFrame(FrameType::kStarted, ""), frames);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->kind, FrameError::Kind::kTooMuch);
  EXPECT_EQ(frames.size(), 2U);
}

TEST(FrameReaderTest, TellsAStreamThatWasCutShort) {
  for (const std::string& part : {std::string("R"), Header('R', 3), Header('R', 3) + "ab"}) {
    FrameReader reader(kLimits, 1000);
    std::vector<Frame> frames;
    EXPECT_FALSE(reader.Feed(part, frames));
    const auto error = reader.Finish();
    ASSERT_TRUE(error);
    EXPECT_EQ(error->kind, FrameError::Kind::kCutShort);
  }
}

}  // namespace
}  // namespace casemate
