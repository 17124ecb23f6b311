#include "audit/sink_state.h"

#include <gmock/gmock.h>

#include "audit/follow.h"
#include "audit/log_fixture.h"
#include "audit/prune.h"
#include "audit/record.h"
#include "audit/retention_state.h"

namespace casemate::audit {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

SinkState Some() {
  SinkState state;
  state.target = "syslog:/dev/log";
  state.segment = 2;
  state.offset = 77;
  state.seq = 5;
  state.sent = 4;
  state.lost = 1;
  state.trouble = "is \"full\"";
  return state;
}

class SinkStateTest : public LogTest {
 protected:
  void Keep(const std::string& name, const std::string& text) const {
    ASSERT_TRUE(MakeFolders(SinksFolder(folder_), 0700));
    Write(SinkStatePath(folder_, name), text);
  }
};

TEST_F(SinkStateTest, ComesBackAsItWas) {
  const auto read = DecodeSinkState(EncodeSinkState(Some()));
  ASSERT_TRUE(read);
  EXPECT_EQ(*read, Some());
}

TEST_F(SinkStateTest, RefusesWhatIsNone) {
  for (const char* text : {"", "{", "[]", "{}", R"({"target":"x","trouble":""})"})
    EXPECT_FALSE(DecodeSinkState(text));
  std::string negative = EncodeSinkState(Some());
  negative.replace(negative.find("\"seq\":5"), 7, "\"seq\":-5");
  EXPECT_FALSE(DecodeSinkState(negative));
}

TEST_F(SinkStateTest, BeginsAnewAndStopsAtDamage) {
  const auto none = ReadSinkState(folder_, "a");
  ASSERT_TRUE(none);
  EXPECT_EQ(*none, SinkState());
  Keep("a", "torn");
  const auto damaged = ReadSinkState(folder_, "a");
  ASSERT_FALSE(damaged);
  EXPECT_THAT(damaged.error().message, HasSubstr("remove it to send all again"));
  Keep("b", EncodeSinkState(Some()));
  EXPECT_THAT(ListSinks(folder_), ElementsAre(testing::Pair("b", Some())));
}

TEST_F(SinkStateTest, WhatASinkHasNotHadIsSparedUntilThereIsNoRoom) {
  WriterOptions options = Options();
  options.segment_bytes_max = 1000;
  Writer writer(options);
  Fill(writer, 0, 40);
  SinkState state = Some();
  state.seq = 1;
  Keep("a", EncodeSinkState(state));
  const std::size_t before = Segments().size();
  const auto spared = Prune(folder_, {.since_us = WallUs() + 1'000'000, .spares = true}, writer);
  ASSERT_TRUE(spared);
  EXPECT_EQ(spared->segments, 0);
  const auto pruned = Prune(folder_, {.bytes_max = 1, .spares = true}, writer);
  ASSERT_TRUE(pruned);
  EXPECT_GT(pruned->segments, 0);
  EXPECT_LT(Segments().size(), before);
  EXPECT_TRUE(Verify().intact) << Tell(Verify());
}

TEST_F(SinkStateTest, WhatAProfileHasPromisedStaysWhateverItsAge) {
  WriterOptions options = Options();
  options.segment_bytes_max = 1000;
  Writer writer(options);
  const std::string until = R"(,"keep_until":"2100-01-01T00:00:00.000000Z")";
  // Of a program's own data it is no promise.
  ASSERT_TRUE(
      writer.Append({Body(0) + R"(,"program":{"input":{"keep_until":"2100-01-01T00:00:00.000000Z"}})"}));
  Fill(writer, 1, 20);
  const std::size_t before = Segments().size();
  ASSERT_TRUE(writer.Append({Body(20) + until}));
  const auto promised = Segments().back();
  Fill(writer, 21, 40);
  const auto pruned = Prune(folder_, {.since_us = WallUs() + 1'000'000, .spares = true}, writer);
  ASSERT_TRUE(pruned);
  EXPECT_GE(pruned->segments, static_cast<std::int64_t>(before) - 1);
  EXPECT_EQ(Segments().front(), promised);
  // Who prunes by hand, and a full disk, are not held up.
  ASSERT_TRUE(Prune(folder_, {.since_us = WallUs() + 1'000'000}, writer));
  EXPECT_GT(Segments().front(), promised);
  EXPECT_TRUE(Verify().intact) << Tell(Verify());
}

TEST_F(SinkStateTest, RetentionThatFailsIsNotedAndToldUntilItWorks) {
  std::vector<std::string> told;
  WriterOptions options = Options();
  options.segment_bytes_max = 1000;
  options.keep.bytes_max = 1000;
  options.tell = [&told](const std::string& sentence) { told.push_back(sentence); };
  Writer writer(options);
  Fill(writer, 0, 1);
  std::filesystem::create_directory(Segment(99'999'999));
  Fill(writer, 1, 20);
  EXPECT_THAT(told, testing::Contains(testing::HasSubstr("cannot be kept within its bounds")));
  const auto failing = ReadRetentionState(folder_);
  ASSERT_TRUE(failing);
  EXPECT_GT(failing->failures, 0);
  EXPECT_NE(failing->trouble, "");
  std::filesystem::remove(Segment(99'999'999));
  Fill(writer, 20, 40);
  const auto well = ReadRetentionState(folder_);
  ASSERT_TRUE(well);
  EXPECT_EQ(well->trouble, "");
  EXPECT_GT(well->pruned_segments, 0);
  Write(folder_ + "/retention.json", "{");
  EXPECT_FALSE(ReadRetentionState(folder_));
}

TEST_F(SinkStateTest, ALogPrunesItselfWhenASegmentIsFull) {
  WriterOptions options = Options();
  options.segment_bytes_max = 1000;
  options.keep.bytes_max = 3000;
  Writer writer(options);
  Fill(writer, 0, 200);
  EXPECT_THAT(Segments(), SizeIs(testing::Le(6U)));
  const AuditVerdict verdict = Verify();
  EXPECT_TRUE(verdict.intact) << Tell(verdict);
  EXPECT_GT(verdict.first_seq, 1);
}

TEST_F(SinkStateTest, AFollowerHandsOnWhatWasAcknowledgedAlone) {
  Writer writer(Options());
  Fill(writer, 0, 2);
  // As a writer leaves it that is killed before it writes the head.
  const std::string acknowledged = Read(Segment());
  Write(Segment(), acknowledged + "{\"kind\":\"intent\"}\n");
  Follower follower(folder_);
  std::vector<std::string> lines;
  const auto take = [&lines](std::string_view line) {
    lines.emplace_back(line);
    return true;
  };
  ASSERT_TRUE(follower.Read(take));
  EXPECT_EQ(Join(lines), acknowledged);
  EXPECT_EQ(follower.offset(), static_cast<std::int64_t>(acknowledged.size()));
  lines.clear();
  ASSERT_TRUE(follower.Read(take));
  EXPECT_THAT(lines, IsEmpty());
  Follower later(folder_);
  later.Seek(1, follower.offset());
  Fill(writer, 2, 3);
  ASSERT_TRUE(later.Read(take));
  EXPECT_THAT(lines, testing::Not(IsEmpty()));
}

}  // namespace
}  // namespace casemate::audit
