#include "casemate/audit.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include "audit/follow.h"
#include "audit/log_fixture.h"
#include "audit/prune.h"
#include "audit/record.h"
#include "audit/run_records.h"

namespace casemate::audit {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class AuditLogTest : public LogTest {
 protected:
  // A run with both its records, or with its intent alone.
  static void Record(Writer& writer, const std::string& id, std::optional<Status> status,
                     std::vector<Denial> denials = {}, const std::string& caller = "uid:1") {
    ExecutionRequest request;
    request.code = "pass";
    request.origin.surface = "cli";
    const Digest code = DigestOf("code of " + id);
    ASSERT_TRUE(
        writer.Append({EncodeIntent({.id = id, .request = &request, .caller = caller, .code = code})}));
    if (!status) return;
    ExecutionResult result;
    result.id = id;
    result.status = *status;
    result.denials = std::move(denials);
    ASSERT_TRUE(writer.Append({EncodeOutcome({&result, DigestOf(""), DigestOf("")})}));
  }
  void RecordSome() const {
    WriterOptions options = Options();
    options.segment_bytes_max = 2000;
    Writer writer(options);
    Record(writer, "run-a", Status::kOk);
    Record(writer, "run-b", Status::kTimeout);
    Record(writer, "run-c", Status::kError, {{"network", "connect 1.2.3.4:80", 2, ""}}, "uid:2");
    Record(writer, "run-d", std::nullopt);
  }
  std::vector<std::string> Ids(const AuditFilter& filter) const {
    std::vector<std::string> ids;
    const auto log = OpenAuditLog(state_dir_);
    EXPECT_TRUE(log);
    const auto done = (*log)->List(filter, [&ids](const AuditRun& run) {
      ids.push_back(run.id);
      return true;
    });
    EXPECT_TRUE(done) << done.error().ToString();
    return ids;
  }
};

TEST_F(AuditLogTest, FindsRunsByWhatIsKnownOfThem) {
  RecordSome();
  EXPECT_THAT(Ids({}), ElementsAre("run-a", "run-b", "run-c", "run-d"));
  EXPECT_THAT(Ids({.status = "timeout"}), ElementsAre("run-b"));
  EXPECT_THAT(Ids({.status = "open"}), ElementsAre("run-d"));
  EXPECT_THAT(Ids({.caller = "uid:2"}), ElementsAre("run-c"));
  EXPECT_THAT(Ids({.surface = "http"}), IsEmpty());
  EXPECT_THAT(Ids({.code_sha256 = DigestOf("code of run-a").sha256.substr(0, 10)}), ElementsAre("run-a"));
  EXPECT_THAT(Ids({.denial = "any"}), ElementsAre("run-c"));
  EXPECT_THAT(Ids({.denial = "network"}), ElementsAre("run-c"));
  EXPECT_THAT(Ids({.denial = "net%"}), IsEmpty());
  EXPECT_THAT(Ids({.id = "run-b"}), ElementsAre("run-b"));
  EXPECT_THAT(Ids({.limit = 2}), ElementsAre("run-c", "run-d"));
  EXPECT_THAT(Ids({.since_us = WallUs() + 1'000'000}), IsEmpty());
  EXPECT_THAT(Ids({.until_us = WallUs() - 3'600'000'000}), IsEmpty());
}

TEST_F(AuditLogTest, SeesWhatComesLaterAndOutcomesOfWhatWasOpen) {
  RecordSome();
  EXPECT_THAT(Ids({.status = "open"}), ElementsAre("run-d"));
  Writer writer(Options());
  ExecutionResult result;
  result.id = "run-d";
  result.status = Status::kOk;
  ASSERT_TRUE(writer.Append({EncodeOutcome({&result, DigestOf(""), DigestOf("")})}));
  EXPECT_THAT(Ids({.status = "ok"}), ElementsAre("run-a", "run-d"));
}

TEST_F(AuditLogTest, HandsOutRecordsAsTheLogHasThem) {
  RecordSome();
  std::vector<std::string> records;
  ASSERT_TRUE((*OpenAuditLog(state_dir_))->Records({.id = "run-c"}, [&records](std::string_view record) {
    records.emplace_back(record);
    return true;
  }));
  ASSERT_EQ(records.size(), 2U);
  for (const std::string& record : records) {
    const auto seal = ReadSeal(record);
    ASSERT_TRUE(seal);
    EXPECT_TRUE(IsIntact(*seal));
  }
}

TEST_F(AuditLogTest, DoesNotHandOutWhatWasChanged) {
  RecordSome();
  EXPECT_EQ(Ids({}).size(), 4U);
  std::string text = Read(Segment(1));
  text.replace(text.find("uid:1"), 5, "uid:9");
  Write(Segment(1), text);
  EXPECT_FALSE((*OpenAuditLog(state_dir_))->Records({.id = "run-a"}, [](std::string_view) { return true; }));
}

TEST_F(AuditLogTest, MakesItsIndexAnewWhenThatIsBroken) {
  RecordSome();
  EXPECT_EQ(Ids({}).size(), 4U);
  Write(folder_ + "/index.db",
        "this is no database, however long it may be made to look ........................");
  EXPECT_EQ(Ids({}).size(), 4U);
}

TEST_F(AuditLogTest, IsNotThereBeforeTheFirstRecord) {
  const auto log = OpenAuditLog(state_dir_);
  ASSERT_FALSE(log);
  EXPECT_EQ(log.error().code, ErrorCode::kNotFound);
}

TEST_F(AuditLogTest, PrunesWholeSegmentsAndSaysSo) {
  WriterOptions options = Options();
  options.segment_bytes_max = 1000;
  Writer writer(options);
  Fill(writer, 0, 40);
  const std::size_t before = Segments().size();
  ASSERT_GT(before, 4U);
  EXPECT_EQ(Prune(folder_, {.since_us = 0}, writer)->segments, 0);
  const auto pruned = Prune(folder_, {.bytes_max = 3000}, writer);
  ASSERT_TRUE(pruned) << pruned.error().ToString();
  EXPECT_GT(pruned->segments, 1);
  EXPECT_LT(Segments().size(), before);
  const AuditVerdict verdict = Verify();
  EXPECT_TRUE(verdict.intact) << Tell(verdict);
  EXPECT_EQ(verdict.first_seq, pruned->through_seq + 1);
  // What goes without a record is a finding.
  std::filesystem::remove(Segment(Segments().front()));
  EXPECT_FALSE(Verify().intact);
}

TEST_F(AuditLogTest, FollowsWhatComes) {
  WriterOptions options = Options();
  options.segment_bytes_max = 700;
  Writer writer(options);
  Fill(writer, 0, 10);
  Follower follower(folder_);
  ASSERT_TRUE(follower.SeekBack(3));
  std::vector<std::int64_t> seqs;
  const auto take = [&seqs](std::string_view line) {
    seqs.push_back(ReadSeal(line)->seq);
    return true;
  };
  ASSERT_TRUE(follower.Read(take));
  EXPECT_THAT(seqs, ElementsAre(9, 10, 11));
  Fill(writer, 10, 13);
  ASSERT_TRUE(follower.Read(take));
  EXPECT_THAT(seqs, ElementsAre(9, 10, 11, 12, 13, 14));
}

TEST(RecordTest, ReadsTheTimesThatItWrites) {
  EXPECT_EQ(FormatTime(0), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(FormatTime(1'795'271'680'642'772), "2026-11-21T14:34:40.642772Z");
  for (const std::int64_t time :
       {std::int64_t{0}, std::int64_t{951'782'400'000'001}, std::int64_t{4'102'444'799'999'999}}) {
    EXPECT_EQ(ParseTime(FormatTime(time)), time);
  }
  for (const std::string_view bad : {"", "2026-13-01T00:00:00.000000Z", "2026-11-21 14:34:40.642772Z", "x"}) {
    EXPECT_FALSE(ParseTime(bad)) << bad;
  }
}

TEST(RunRecordsTest, NamesSecretsAndWhereTheyAre) {
  ExecutionRequest request;
  request.code = "pass";
  request.secrets = {{.name = "TOKEN", .references = {"env:CI_TOKEN"}, .hosts = {"api.example.com"}}};
  const std::string body =
      EncodeIntent({.id = "x", .request = &request, .caller = "uid:1", .code = DigestOf("pass")});
  EXPECT_NE(body.find(R"({"name":"TOKEN","references":["env:CI_TOKEN"],"hosts":["api.example.com"]})"),
            std::string::npos)
      << body;
}

TEST(RunRecordsTest, KeepsNoTraceContextThatIsNone) {
  ExecutionRequest request;
  request.code = "pass";
  RunIntent intent{.id = "x", .request = &request, .caller = "uid:1", .code = DigestOf("pass")};
  request.origin.trace_parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  EXPECT_NE(EncodeIntent(intent).find(request.origin.trace_parent), std::string::npos);
  request.origin.trace_parent = "a password";
  EXPECT_EQ(EncodeIntent(intent).find("a password"), std::string::npos);
}

}  // namespace
}  // namespace casemate::audit
