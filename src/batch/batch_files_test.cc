// The files of a batch: its lines, its journal, its results.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "base/file.h"
#include "base/sha256.h"
#include "base/unique_fd.h"
#include "batch/job_source.h"
#include "batch/journal.h"
#include "batch/json_members.h"
#include "batch/line_reader.h"
#include "batch/result_file.h"
#include "model/refusal.h"

namespace casemate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

UniqueFd FileOf(std::string_view text) {
  UniqueFd fd(::memfd_create("text", MFD_CLOEXEC));
  EXPECT_TRUE(WriteAll(fd.get(), text, "text"));
  ::lseek(fd.get(), 0, SEEK_SET);
  return fd;
}

TEST(LineReaderTest, LinesAndTheirPlaces) {
  const UniqueFd fd = FileOf("one\n\nthree\r\nlast");
  LineReader reader(fd.get(), "text", 100);
  std::vector<std::string> seen;
  for (;;) {
    const auto line = reader.Next();
    ASSERT_TRUE(line);
    if (!*line) break;
    seen.push_back(std::to_string((*line)->number) + ":" + std::to_string((*line)->offset) + "-" +
                   std::to_string((*line)->end_offset) + ":" + std::string((*line)->text) +
                   ((*line)->ended_by_newline ? "" : "!"));
  }
  EXPECT_THAT(seen, ElementsAre("1:0-4:one", "2:4-5:", "3:5-12:three\r", "4:12-16:last!"));
}

TEST(LineReaderTest, LongLinesAreCutAndTheNextIsWhole) {
  const UniqueFd fd = FileOf(std::string(200'000, 'x') + "\nshort\n" + std::string(10, 'y') + "\n");
  LineReader reader(fd.get(), "text", 10);
  auto line = reader.Next();
  EXPECT_EQ((*line)->text, std::string(10, 'x'));
  EXPECT_FALSE((*line)->whole);
  EXPECT_EQ((*line)->end_offset, 200'001);
  line = reader.Next();
  EXPECT_EQ((*line)->text, "short");
  EXPECT_TRUE((*line)->whole);
  line = reader.Next();
  EXPECT_TRUE((*line)->whole);
  EXPECT_FALSE(*reader.Next());
}

TEST(LineReaderTest, CancelEndsTheLines) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd out(ends[0]);
  const UniqueFd in(ends[1]);
  const UniqueFd cancel(::eventfd(1, EFD_CLOEXEC));
  ASSERT_TRUE(WriteAll(in.get(), "half", "pipe"));
  LineReader reader(out.get(), "pipe", 100, cancel.get());
  const auto line = reader.Next();
  ASSERT_TRUE(line);
  EXPECT_FALSE(*line);
}

TEST(JsonMembersTest, SplitsOneLevel) {
  const auto members = SplitObject(R"( {"a": 1, "b":{"c":"}\"],"}, "d":[1,{"e":2}] ,"f":"x"} )");
  ASSERT_TRUE(members);
  ASSERT_THAT(*members, SizeIs(4));
  EXPECT_EQ((*members)[0].second, "1");
  EXPECT_EQ((*members)[1].second, R"({"c":"}\"],"})");
  EXPECT_EQ((*members)[2].second, R"([1,{"e":2}])");
  EXPECT_EQ(FindMember(R"({"a":{"b":"c"}})", "a"), R"({"b":"c"})");
  EXPECT_EQ(FindMember("[]", "a"), "");
  EXPECT_EQ(Unquote("\"x\""), "x");
  EXPECT_EQ(Unquote("12"), "");
  EXPECT_TRUE(SplitObject("{}"));
}

TEST(JsonMembersTest, TornTextNeverPasses) {
  const std::string whole = R"({"id":"a","line":1,"result":{"status":"ok","x":[1,2],"s":"\"}"}})";
  ASSERT_TRUE(SplitObject(whole));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(SplitObject(whole.substr(0, size))) << whole.substr(0, size);
  }
}

Expected<ExecutionRequest> Decode(std::string_view json) {
  if (json.contains("bad")) return Fail(ErrorCode::kInvalidRequest, "bad field");
  ExecutionRequest request;
  request.code = json;
  return request;
}

class JobSourceTest : public ::testing::Test {
 protected:
  Expected<std::vector<BatchItem>> Read(const std::string& text) {
    const UniqueFd fd = FileOf(text);
    JobSource source(fd.get(), "jobs", Decode, former_, -1);
    std::vector<BatchItem> items;
    for (;;) {
      auto item = source.Next();
      if (!item) return std::unexpected(item.error());
      skipped_ = source.place().skipped;
      if (!*item) return items;
      items.push_back(**std::move(item));
    }
  }
  FormerRun former_;
  std::int64_t skipped_ = 0;
};

TEST_F(JobSourceTest, TakesTheIdOutOfTheRequest) {
  const auto items = Read("{\"code\": \"1\", \"id\": \"a\\u0062\"}\n\n  \n{\"id\":-12}\n{\"code\":\"2\"}");
  ASSERT_TRUE(items);
  ASSERT_THAT(*items, SizeIs(3));
  EXPECT_EQ((*items)[0].id, "\"ab\"");
  EXPECT_EQ(std::get<ExecutionRequest>((*items)[0].work).code, R"({"code":"1"})");
  EXPECT_EQ((*items)[1].number, 4);
  EXPECT_EQ((*items)[1].id, "-12");
  EXPECT_EQ(std::get<ExecutionRequest>((*items)[1].work).code, "{}");
  EXPECT_EQ((*items)[2].id, "null");
  EXPECT_EQ((*items)[2].request_sha256, Sha256Hex(R"({"code":"2"})"));
}

TEST_F(JobSourceTest, BadLinesAreRejectedItems) {
  const auto items =
      Read("{\"code\":\nnull\n[1]\n{\"id\":[1]}\n{\"id\":\"x\",\"bad\":1}\n{\"a\":1,\"a\":2}\n\xff\n");
  ASSERT_TRUE(items);
  ASSERT_THAT(*items, SizeIs(7));
  for (const BatchItem& item : *items) {
    const auto& result = std::get<ExecutionResult>(item.work);
    EXPECT_EQ(result.status, Status::kRejected);
    ASSERT_TRUE(result.error);
    EXPECT_FALSE(result.error->message.empty());
  }
  EXPECT_EQ((*items)[4].id, "\"x\"");
  EXPECT_THAT(std::get<ExecutionResult>((*items)[4].work).error->message, HasSubstr("bad field"));
}

TEST_F(JobSourceTest, LeavesOutWhatIsDone) {
  const std::vector<std::string> lines = {"{\"a\":1}", "{\"a\":2}", "{\"a\":3}", "{\"a\":4}"};
  former_.MarkDone(1, Sha256Hex(lines[0]));
  former_.MarkBegun(2, Sha256Hex(lines[1]));
  former_.MarkBegun(3, Sha256Hex(lines[2]));
  former_.MarkHeld(3, {10, 20, Status::kTimeout});
  former_.MarkHeld(4, {10, 20, Status::kTimeout});  // never begun: of no meaning
  const auto items = Read(lines[0] + "\n" + lines[1] + "\n" + lines[2] + "\n" + lines[3] + "\n");
  ASSERT_TRUE(items);
  ASSERT_THAT(*items, SizeIs(3));
  EXPECT_EQ(skipped_, 1);
  const auto& interrupted = std::get<ExecutionResult>((*items)[0].work);
  EXPECT_EQ(interrupted.status, Status::kFailed);
  EXPECT_EQ(interrupted.error->type, kInterruptedType);
  EXPECT_THAT(interrupted.error->message, HasSubstr("may have run"));
  EXPECT_EQ(std::get<ExecutionResult>((*items)[1].work).status, Status::kTimeout);
  EXPECT_TRUE(std::holds_alternative<ExecutionRequest>((*items)[2].work));
}

TEST_F(JobSourceTest, AChangedFileIsAnError) {
  former_.MarkDone(2, Sha256Hex("{\"a\":2}"));
  auto items = Read("{\"a\":1}\n{\"a\":5}\n");
  ASSERT_FALSE(items);
  EXPECT_EQ(items.error().code, ErrorCode::kInvalidRequest);
  EXPECT_THAT(items.error().message, HasSubstr("line 2"));
  items = Read("{\"a\":1}\n");
  ASSERT_FALSE(items);
  EXPECT_THAT(items.error().message, HasSubstr("has 1 lines"));
}

class FilesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "/batch-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    journal_ = folder_ + "/out.journal";
    output_ = folder_ + "/out";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  static void Append(const std::string& path, const std::string& text) {
    std::ofstream(path, std::ios::app | std::ios::binary) << text;
  }
  static std::string Contents(const std::string& path) { return ReadFile(path, 1 << 26).value(); }
  static std::string HashOf(int number) { return Sha256Hex(std::to_string(number)); }
  static std::string ResultLine(int number, Status status, const std::string& type = "") {
    BatchItem item{number, "null", HashOf(number), {}};
    ExecutionResult result;
    result.status = status;
    if (!type.empty()) result.error = ProgramError{type, "", "", ""};
    return EncodeResultLine(item, result);
  }

  std::string folder_;
  std::string journal_;
  std::string output_;
};

TEST_F(FilesTest, JournalRemembers) {
  FormerRun former;
  {
    auto journal = Journal::Open(journal_, Journal::Mode::kFresh, former);
    ASSERT_TRUE(journal);
    for (int i = 1; i <= 4; ++i) ASSERT_TRUE((*journal)->Begin(i, HashOf(i)));
    ASSERT_TRUE((*journal)->Hold(3, ResultLine(3, Status::kTimeout)));
  }
  Append(journal_, "B 5 0123");  // torn
  const auto journal = Journal::Open(journal_, Journal::Mode::kResume, former);
  ASSERT_TRUE(journal) << journal.error().ToString();
  EXPECT_EQ(former.StateOf(1, HashOf(1)).value(), FormerState::kBegun);
  EXPECT_EQ(former.StateOf(3, HashOf(3)).value(), FormerState::kHeld);
  EXPECT_EQ(former.StateOf(5, HashOf(5)).value(), FormerState::kNew);
  EXPECT_FALSE(former.StateOf(2, HashOf(9)));
  EXPECT_EQ(former.Held(3)->status, Status::kTimeout);
  EXPECT_EQ((*journal)->ReadHeld(former, 3).value(), ResultLine(3, Status::kTimeout));
  EXPECT_TRUE(Contents(journal_).ends_with('\n'));
}

TEST_F(FilesTest, JournalTornAnywhereIsReadAsFarAsItIsWhole) {
  FormerRun former;
  {
    auto journal = Journal::Open(journal_, Journal::Mode::kFresh, former);
    ASSERT_TRUE((*journal)->Begin(1, HashOf(1)));
    ASSERT_TRUE((*journal)->Hold(1, ResultLine(1, Status::kOk)));
    ASSERT_TRUE((*journal)->Begin(2, HashOf(2)));
  }
  const std::string whole = Contents(journal_);
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    ASSERT_TRUE(WriteFileAtomically(journal_, whole.substr(0, size), 0600));
    FormerRun partly;
    auto journal = Journal::Open(journal_, Journal::Mode::kResume, partly);
    ASSERT_TRUE(journal) << size << journal.error().ToString();
    ASSERT_TRUE((*journal)->Begin(7, HashOf(7)));
    FormerRun again;
    journal->reset();  // closed: its lock is free
    ASSERT_TRUE(Journal::Open(journal_, Journal::Mode::kResume, again)) << size;
    EXPECT_EQ(again.StateOf(7, HashOf(7)).value(), FormerState::kBegun) << size;
    EXPECT_EQ(again.StateOf(1, HashOf(1)).value(), partly.StateOf(1, HashOf(1)).value());
  }
}

TEST_F(FilesTest, JournalRefuses) {
  FormerRun former;
  auto journal = Journal::Open(journal_, Journal::Mode::kResume, former);
  ASSERT_FALSE(journal);
  EXPECT_THAT(journal.error().message, HasSubstr("nobody knows"));
  journal = Journal::Open(journal_, Journal::Mode::kFresh, former);
  ASSERT_TRUE(journal);
  const auto second = Journal::Open(journal_, Journal::Mode::kFresh, former);
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().message, HasSubstr("another batch"));
  journal->reset();
  Append(journal_, "what is this\n");
  journal = Journal::Open(journal_, Journal::Mode::kResume, former);
  ASSERT_FALSE(journal);
  EXPECT_THAT(journal.error().message, HasSubstr("line 2"));
}

TEST_F(FilesTest, JournalTakesManyAtOnce) {
  FormerRun former;
  {
    auto journal = Journal::Open(journal_, Journal::Mode::kFresh, former);
    ASSERT_TRUE(journal);
    std::vector<std::thread> threads;
    for (int t = 0; t < 8; ++t) {
      threads.emplace_back([&journal, t] {
        for (int i = 1; i <= 25; ++i) EXPECT_TRUE((*journal)->Begin(t * 25 + i, HashOf(t * 25 + i)));
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  ASSERT_TRUE(Journal::Open(journal_, Journal::Mode::kResume, former));
  for (int i = 1; i <= 200; ++i) EXPECT_EQ(former.StateOf(i, HashOf(i)).value(), FormerState::kBegun);
}

TEST_F(FilesTest, ResultsAreFoundAgainAndATornOneIsCutOff) {
  Append(output_, ResultLine(1, Status::kOk) + "\n" + ResultLine(3, Status::kCancelled) + "\n");
  const std::string whole = Contents(output_);
  Append(output_, ResultLine(4, Status::kOk).substr(0, 150));
  FormerRun former;
  former.MarkBegun(4, HashOf(4));
  auto file = ReopenResultFile(output_, Interrupted::kKeep, former);
  ASSERT_TRUE(file) << file.error().ToString();
  EXPECT_EQ(Contents(output_), whole);
  EXPECT_EQ(former.StateOf(1, HashOf(1)).value(), FormerState::kDone);
  EXPECT_EQ(former.StateOf(2, HashOf(2)).value(), FormerState::kNew);
  EXPECT_EQ(former.StateOf(3, HashOf(3)).value(), FormerState::kDone);
  EXPECT_EQ(former.StateOf(4, HashOf(4)).value(), FormerState::kBegun);
  ASSERT_TRUE(WriteAll(file->get(), "x", "out"));
  EXPECT_EQ(Contents(output_), whole + "x");
}

TEST_F(FilesTest, InterruptedResultsAreTakenOutToRunAgain) {
  const std::string kept = ResultLine(1, Status::kOk) + "\n";
  const std::string failed = ResultLine(4, Status::kFailed, "casemate.internal") + "\n";
  Append(output_, kept + ResultLine(2, Status::kCancelled) + "\n" +
                      ResultLine(3, Status::kFailed, std::string(kInterruptedType)) + "\n" + failed);
  FormerRun former;
  for (int i = 1; i <= 4; ++i) former.MarkBegun(i, HashOf(i));
  auto file = ReopenResultFile(output_, Interrupted::kRunAgain, former);
  ASSERT_TRUE(file) << file.error().ToString();
  EXPECT_EQ(Contents(output_), kept + failed);
  EXPECT_EQ(former.StateOf(2, HashOf(2)).value(), FormerState::kNew);
  EXPECT_EQ(former.StateOf(3, HashOf(3)).value(), FormerState::kNew);
  EXPECT_EQ(former.StateOf(4, HashOf(4)).value(), FormerState::kDone);
  ASSERT_TRUE(WriteAll(file->get(), "x", "out"));
  EXPECT_EQ(Contents(output_), kept + failed + "x");
  EXPECT_THAT(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

TEST_F(FilesTest, AnotherFileIsNoOutput) {
  Append(output_, "name,price\n");
  FormerRun former;
  const auto file = ReopenResultFile(output_, Interrupted::kKeep, former);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, ErrorCode::kInvalidRequest);
  EXPECT_EQ(Contents(output_), "name,price\n");
}

}  // namespace
}  // namespace casemate
