#include "audit/writer.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <random>
#include <thread>

#include "audit/log_fixture.h"

namespace casemate::audit {
namespace {

class WriterTest : public LogTest {};

TEST_F(WriterTest, BeginsALogThatHolds) {
  Writer writer(Options());
  Fill(writer, 0, 10);
  const AuditVerdict verdict = Verify();
  EXPECT_TRUE(verdict.intact) << Tell(verdict);
  EXPECT_EQ(verdict.records, 11);  // and the one that begins it
  EXPECT_EQ(verdict.last_seq, 11);
  EXPECT_EQ(Lines(Read(Segment())).size(), 11U);
}

TEST_F(WriterTest, TouchesNothingBeforeItsFirstRecord) {
  const Writer writer(Options());
  EXPECT_FALSE(FileExists(folder_));
}

TEST_F(WriterTest, GoesOnInOneChainFromWriterToWriter) {
  Writer first(Options());
  Writer second(Options());
  for (int i = 0; i < 20; ++i) Fill(i % 2 == 0 ? first : second, i, i + 1);
  const AuditVerdict verdict = Verify();
  EXPECT_TRUE(verdict.intact) << Tell(verdict);
  EXPECT_EQ(verdict.last_seq, 21);
}

TEST_F(WriterTest, KeepsOneChainUnderThreadsAndProcesses) {
  constexpr int kEach = 100;
  std::vector<pid_t> children;
  for (int child = 0; child < 3; ++child) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      Writer writer(Options());
      for (int i = 0; i < kEach; ++i) {
        if (!writer.Append({Body(i)})) ::_exit(1);
      }
      ::_exit(0);
    }
    children.push_back(pid);
  }
  {
    Writer writer(Options());
    std::vector<std::jthread> threads;
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([&writer] { Fill(writer, 0, kEach); });
    }
  }
  for (const pid_t pid : children) {
    int status = 0;
    ASSERT_EQ(::waitpid(pid, &status, 0), pid);
    EXPECT_EQ(status, 0);
  }
  const AuditVerdict verdict = Verify();
  EXPECT_TRUE(verdict.intact) << Tell(verdict);
  EXPECT_EQ(verdict.last_seq, 6 * kEach + 1);
}

TEST_F(WriterTest, SignsEverySoManyRecordsAndWhenAsked) {
  WriterOptions options = Options();
  options.checkpoint_every = 10;
  Writer writer(options);
  Fill(writer, 0, 25);
  EXPECT_EQ(Verify().checkpoints, 2);
  ASSERT_TRUE(writer.Checkpoint());
  const AuditVerdict verdict = Verify();
  EXPECT_EQ(verdict.checkpoints, 3);
  EXPECT_EQ(verdict.signed_seq, verdict.last_seq);
  ASSERT_TRUE(writer.Checkpoint());
  EXPECT_EQ(Verify().checkpoints, 3) << "there was nothing new to sign";
}

TEST_F(WriterTest, AResidentWriterSignsAtItsEnd) {
  WriterOptions options = Options();
  options.resident = true;
  {
    Writer writer(options);
    Fill(writer, 0, 3);
  }
  const AuditVerdict verdict = Verify();
  EXPECT_TRUE(verdict.intact) << Tell(verdict);
  EXPECT_EQ(verdict.signed_seq, verdict.last_seq);
}

TEST_F(WriterTest, BeginsASegmentWhenOneIsFull) {
  WriterOptions options = Options();
  options.segment_bytes_max = 1000;
  Writer writer(options);
  Fill(writer, 0, 50);
  EXPECT_GT(Segments().size(), 5U);
  const AuditVerdict verdict = Verify();
  EXPECT_TRUE(verdict.intact) << Tell(verdict);
  EXPECT_EQ(verdict.last_seq, 51);
}

TEST_F(WriterTest, GivesUpOnALockThatIsHeld) {
  WriterOptions options = Options();
  options.lock_ms = 50;
  Writer writer(options);
  Fill(writer, 0, 1);
  const UniqueFd head(::open(HeadPath(folder_).c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_EQ(::flock(head.get(), LOCK_EX), 0);
  const auto refused = writer.Append({Body(1)});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  ASSERT_EQ(::flock(head.get(), LOCK_UN), 0);
  Fill(writer, 1, 2);
  EXPECT_TRUE(Verify().intact);
}

TEST_F(WriterTest, NoticesALogThatWasTakenAway) {
  Writer writer(Options());
  Fill(writer, 0, 5);
  std::filesystem::remove_all(folder_);
  Fill(writer, 5, 6);
  const AuditVerdict verdict = Verify();
  ASSERT_EQ(Broken(verdict).size(), 1U) << Tell(verdict);
  EXPECT_EQ(Broken(verdict)[0].kind, "missing");
}

TEST_F(WriterTest, RefusesWhereItCannotWrite) {
  Write(state_dir_ + "/file", "");
  WriterOptions options = Options();
  options.state_dir += "/file";
  const auto refused = Writer(options).Append({Body(0)});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
}

TEST_F(WriterTest, TellsOfLinesThatWereNeverAcknowledged) {
  Writer first(Options());
  Fill(first, 0, 3);
  const std::string head = Read(HeadPath(folder_));
  Fill(first, 3, 5);
  // As if the writer had been killed before it could say so.
  Write(HeadPath(folder_), head);
  Writer second(Options());
  Fill(second, 5, 6);
  const AuditVerdict verdict = Verify();
  EXPECT_TRUE(verdict.intact) << Tell(verdict);
  EXPECT_EQ(verdict.last_seq, 8);  // log, 5, recovery, 1
  EXPECT_EQ(verdict.findings[0].kind, "unacknowledged");
}

TEST_F(WriterTest, LeavesATornLineWhereItIsAndSaysSo) {
  Writer first(Options());
  Fill(first, 0, 3);
  const std::string whole = Read(Segment());
  Write(Segment(), whole + R"({"kind":"intent","time":")");
  Writer second(Options());
  Fill(second, 3, 4);
  const AuditVerdict verdict = Verify();
  EXPECT_TRUE(verdict.intact) << Tell(verdict);
  EXPECT_EQ(verdict.findings[0].kind, "torn");
  EXPECT_TRUE(Read(Segment()).starts_with(whole));
  EXPECT_TRUE(FileExists(Segment(2)));
  // What the recovery tells of must stay as it was.
  Write(Segment(), whole + R"({"kind":"outcom","time":")");
  EXPECT_FALSE(Verify().intact);
}

// Ends a process that appends at a random instant, again and again; what it had been told was written must be
// in the chain. CASEMATE_AUDIT_KILLS sets how often.
TEST_F(WriterTest, LosesNothingAcknowledgedToKills) {
  const char* wanted = std::getenv("CASEMATE_AUDIT_KILLS");
  const int kills = wanted != nullptr ? static_cast<int>(std::strtol(wanted, nullptr, 10)) : 25;
  std::mt19937 random(std::random_device{}());
  std::uniform_int_distribution<useconds_t> delay(0, 20'000);
  std::int64_t acknowledged = 0;
  for (int round = 0; round < kills; ++round) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    const UniqueFd read_end(ends[0]);
    UniqueFd write_end(ends[1]);
    std::vector<pid_t> children;
    for (int child = 0; child < 2; ++child) {
      const pid_t pid = ::fork();
      if (pid == 0) {
        WriterOptions options = Options();
        options.segment_bytes_max = 20'000;
        options.checkpoint_every = 50;
        Writer writer(options);
        for (int i = 0;; ++i) {
          if (!writer.Append({Body(i)}) || ::write(write_end.get(), "a", 1) != 1) ::_exit(1);
        }
      }
      children.push_back(pid);
    }
    write_end.reset();
    ::usleep(delay(random));
    for (const pid_t pid : children) ::kill(pid, SIGKILL);
    for (const pid_t pid : children) {
      int status = 0;
      ::waitpid(pid, &status, 0);
      ASSERT_TRUE(WIFSIGNALED(status)) << "it ended by itself: " << status;
    }
    std::array<char, 4096> bytes{};
    for (ssize_t count = 0; (count = ::read(read_end.get(), bytes.data(), bytes.size())) > 0;) {
      acknowledged += count;
    }
  }
  Writer writer(Options());
  Fill(writer, 0, 1);
  const AuditVerdict verdict = Verify();
  EXPECT_TRUE(verdict.intact) << Tell(verdict);
  std::int64_t intents = 0;
  for (const std::int64_t segment : Segments()) {
    for (const std::string& line : Lines(Read(Segment(segment)))) {
      intents += line.starts_with(R"({"kind":"intent",)") ? 1 : 0;
    }
  }
  EXPECT_GT(acknowledged, kills) << "the kills came before any record";
  EXPECT_GE(intents, acknowledged + 1);
}

}  // namespace
}  // namespace casemate::audit
