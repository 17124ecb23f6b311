#include "runtime/result_decoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace casemate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

std::string F(FrameType type, std::string_view payload = "") { return EncodeFrame(type, payload); }

HarnessReport Decode(std::string_view bytes, const Limits& limits = {}) {
  ResultDecoder decoder(limits);
  decoder.Feed(F(FrameType::kStarted));
  decoder.Feed(bytes);
  return decoder.TakeReport();
}

TEST(ResultDecoderTest, ReadsAWholeRun) {
  ResultDecoder decoder(Limits{});
  EXPECT_FALSE(decoder.report().started);
  decoder.Feed(F(FrameType::kStarted));
  EXPECT_TRUE(decoder.report().started);
  decoder.Feed(F(FrameType::kDisplay, R"({"text/plain":"é","image/png":"AA=="})") +
               F(FrameType::kResult, R"({"a":123456789012345678901234567890})") +
               F(FrameType::kTimings, R"({"python.compile":12,"python.run":3})") + F(FrameType::kEnd) +
               F(FrameType::kDisplay, R"({"text/plain":"atexit"})"));
  EXPECT_TRUE(decoder.Finish());
  const HarnessReport& report = decoder.report();
  EXPECT_FALSE(report.protocol_error);
  EXPECT_TRUE(report.ended);
  ASSERT_TRUE(report.result);
  EXPECT_EQ(report.result->text(), R"({"a":123456789012345678901234567890})");
  ASSERT_EQ(report.displays.size(), 2U);
  EXPECT_THAT(report.displays[0].data, ElementsAre(Pair("image/png", "AA=="), Pair("text/plain", "é")));
  EXPECT_FALSE(report.displays_truncated);
  ASSERT_EQ(report.timings.size(), 2U);
  EXPECT_EQ(report.timings[0].step, "python.compile");
  EXPECT_EQ(report.timings[0].microseconds, 12);
}

TEST(ResultDecoderTest, ReadsAProgramsError) {
  const HarnessReport report = Decode(F(
      FrameType::kError, R"({"type":"OSError","message":"no","traceback":"T\n","errno":2,"filename":"/x"})"));
  ASSERT_TRUE(report.failure);
  EXPECT_EQ(report.failure->error, (ProgramError{"OSError", "no", "T\n", ""}));
  EXPECT_EQ(report.failure->errno_value, 2);
  EXPECT_EQ(report.failure->filename, "/x");
  const HarnessReport plain = Decode(F(FrameType::kError, R"({"type":"E","errno":"x","filename":3})"));
  ASSERT_TRUE(plain.failure);
  EXPECT_FALSE(plain.failure->errno_value);
  EXPECT_FALSE(plain.failure->filename);
}

TEST(ResultDecoderTest, ReadsWhyAProgramIsRefused) {
  const HarnessReport report = Decode(F(
      FrameType::kRefused, R"([{"rule":"r","line":2,"column":3,"snippet":"s","reason":"w","remedy":"d"}])"));
  EXPECT_FALSE(report.protocol_error);
  ASSERT_EQ(report.refusals.size(), 1U);
  EXPECT_EQ(report.refusals[0], (Finding{"r", Severity::kError, 2, 3, "s", "w", "d"}));
}

TEST(ResultDecoderTest, TakesNoRefusalOfAProgramThatRuns) {
  const std::string refusal = F(FrameType::kRefused, R"([{"rule":"r"}])");
  EXPECT_TRUE(Decode(F(FrameType::kPassed) + refusal).protocol_error);
  EXPECT_TRUE(Decode(F(FrameType::kPassed) + refusal).refusals.empty());
  EXPECT_TRUE(Decode(refusal + refusal).protocol_error);
  EXPECT_TRUE(Decode(F(FrameType::kRefused, "[]")).protocol_error);
  EXPECT_TRUE(Decode(F(FrameType::kRefused, "[1]")).protocol_error);
  EXPECT_TRUE(Decode(F(FrameType::kRefused, "{")).protocol_error);
}

TEST(ResultDecoderTest, ReadsWhyThereIsNoResult) {
  const HarnessReport report =
      Decode(F(FrameType::kNotSerialisable, R"({"reason":"nan","message":"m","path":"result[0]"})"));
  EXPECT_EQ(report.result_invalid, (ResultInvalid{"nan", "m", "result[0]"}));
  EXPECT_FALSE(report.result);
  const HarnessReport unknown = Decode(F(FrameType::kNotSerialisable, R"({"reason":"<b>","message":"m"})"));
  EXPECT_EQ(unknown.result_invalid, (ResultInvalid{"type", "m", ""}));
}

TEST(ResultDecoderTest, HoldsTheResultToStrictJsonAndTheLimits) {
  Limits limits;
  limits.result_depth_max = 2;
  limits.result_bytes_max = 20;
  const auto reason = [&](std::string_view text) {
    const HarnessReport report = Decode(F(FrameType::kResult, text), limits);
    EXPECT_FALSE(report.protocol_error);
    return report.result ? "" : report.result_invalid->reason;
  };
  EXPECT_EQ(reason("[[1]]"), "");
  EXPECT_EQ(reason("[[[1]]]"), "depth");
  EXPECT_EQ(reason("NaN"), "json");
  EXPECT_EQ(reason("\"\xff\""), "json");
  EXPECT_EQ(reason(R"({"a":1,"a":2})"), "key");
  EXPECT_EQ(reason(""), "json");
  EXPECT_TRUE(Decode(F(FrameType::kResult, std::string(21, '1')), limits).protocol_error);
}

TEST(ResultDecoderTest, TakesEachFrameOnce) {
  const std::string result = F(FrameType::kResult, "1");
  const std::string invalid = F(FrameType::kNotSerialisable, R"({"reason":"nan","message":"m","path":"p"})");
  const std::string error = F(FrameType::kError, R"({"type":"E"})");
  for (const std::string& twice :
       {F(FrameType::kStarted), result + F(FrameType::kResult, "2"), result + invalid, invalid + result,
        error + error, F(FrameType::kEnd) + F(FrameType::kEnd),
        F(FrameType::kTimings, "{}") + F(FrameType::kTimings, "{}")}) {
    const HarnessReport report = Decode(twice + F(FrameType::kDisplay, R"({"text/plain":"late"})"));
    ASSERT_TRUE(report.protocol_error);
    EXPECT_THAT(*report.protocol_error, HasSubstr("second"));
    EXPECT_THAT(report.displays, IsEmpty());  // nothing is read after it
  }
  EXPECT_EQ(Decode(result + F(FrameType::kResult, "2")).result->text(), "1");
  // A program that exits with a message has both.
  EXPECT_FALSE(Decode(error + result).protocol_error);
}

TEST(ResultDecoderTest, NeedsTheStartFirst) {
  ResultDecoder decoder(Limits{});
  decoder.Feed(F(FrameType::kResult, "1"));
  EXPECT_TRUE(decoder.report().protocol_error);
  EXPECT_FALSE(decoder.report().result);
  EXPECT_FALSE(decoder.Finish());
}

TEST(ResultDecoderTest, RefusesMessagesThatCannotBeRead) {
  for (const FrameType type : {FrameType::kError, FrameType::kNotSerialisable, FrameType::kTimings}) {
    EXPECT_TRUE(Decode(F(type, "{")).protocol_error);
    EXPECT_TRUE(Decode(F(type, "[]")).protocol_error);
    EXPECT_TRUE(Decode(F(type, R"({"type":{"a":1}})")).protocol_error);
  }
  std::string many = "{";
  for (int i = 0; i < 33; ++i) many += (i != 0 ? ",\"s" : "\"s") + std::to_string(i) + "\":1";
  EXPECT_TRUE(Decode(F(FrameType::kTimings, many + "}")).protocol_error);
  EXPECT_THAT(Decode(F(FrameType::kTimings, R"({"a":-1,"b":"x","c":1e3})")).timings, IsEmpty());
  EXPECT_TRUE(Decode("q").protocol_error == std::nullopt);  // a header is five bytes
  EXPECT_TRUE(Decode("qqqqq").protocol_error);
}

TEST(ResultDecoderTest, LeavesOutDisplaysThatCannotBeShown) {
  const HarnessReport report =
      Decode(F(FrameType::kDisplay, "[]") + F(FrameType::kDisplay, "{") +
             F(FrameType::kDisplay, R"({"no type":"x","a/b":1,"/x":"","x/":"","a/b/c":""})") +
             F(FrameType::kDisplay, R"({"text/html":"<b>","../x":"y"})"));
  EXPECT_FALSE(report.protocol_error);
  EXPECT_TRUE(report.displays_truncated);
  ASSERT_EQ(report.displays.size(), 1U);
  EXPECT_THAT(report.displays[0].data, ElementsAre(Pair("text/html", "<b>")));
}

TEST(ResultDecoderTest, HoldsDisplaysToTheirLimitTogether) {
  Limits limits;
  limits.displays_bytes_max = 100;
  const std::string display = R"({"text/plain":")" + std::string(40, 'x') + "\"}";
  const HarnessReport report =
      Decode(F(FrameType::kDisplay, display) + F(FrameType::kDisplay, display), limits);
  EXPECT_EQ(report.displays.size(), 1U);
  EXPECT_TRUE(report.displays_truncated);
  EXPECT_FALSE(report.protocol_error);
  EXPECT_TRUE(Decode(F(FrameType::kDisplay, std::string(400, ' ')), limits).protocol_error);
}

TEST(ResultDecoderTest, HoldsTheNumberOfDisplaysToALimit) {
  std::string many;
  for (int i = 0; i < 2000; ++i) many += F(FrameType::kDisplay, R"({"a/b":""})");
  const HarnessReport report = Decode(many);
  EXPECT_EQ(report.displays.size(), 1024U);
  EXPECT_TRUE(report.displays_truncated);
}

TEST(ResultDecoderTest, TakesTheHarnessNoteOfWhatItLeftOut) {
  const HarnessReport report =
      Decode(F(FrameType::kDisplay, R"({"text/plain":"x","application/vnd.casemate.left-out":"9"})"));
  EXPECT_TRUE(report.displays_truncated);
  ASSERT_EQ(report.displays.size(), 1U);
  EXPECT_THAT(report.displays[0].data, ElementsAre(Pair("text/plain", "x")));
  Limits none;
  none.displays_bytes_max = 0;
  const HarnessReport note =
      Decode(F(FrameType::kDisplay, R"({"application/vnd.casemate.left-out":"9"})"), none);
  EXPECT_TRUE(note.displays_truncated);
  EXPECT_THAT(note.displays, IsEmpty());
  EXPECT_FALSE(note.protocol_error);
}

TEST(ResultDecoderTest, TellsAChannelThatEndedInsideAFrame) {
  ResultDecoder decoder(Limits{});
  decoder.Feed(F(FrameType::kStarted) + F(FrameType::kResult, "12").substr(0, 6));
  EXPECT_FALSE(decoder.Finish());
  EXPECT_FALSE(decoder.report().protocol_error);
}

}  // namespace
}  // namespace casemate
