// Faults of the host below the log: a disk that is full, a process that ends at any step, a power cut that
// takes what was not synced. After each, what was acknowledged is in the chain, and the log goes on.
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <random>
#include <set>

#include "audit/file_ops.h"
#include "audit/log_fixture.h"
#include "audit/record.h"

namespace casemate::audit {
namespace {

// Does as the host does, until step `fails_at`; that one is done in part, and none after it.
class FaultyFiles : public FileOps {
 public:
  explicit FaultyFiles(std::int64_t fails_at, unsigned seed) : fails_at_(fails_at), random_(seed) {}

  ssize_t Write(int fd, std::string_view bytes) override {
    const std::size_t part = Part(bytes.size());
    if (part > 0) (void)!FileOps::Write(fd, bytes.substr(0, part));
    return Answer(static_cast<ssize_t>(bytes.size()));
  }
  ssize_t WriteAt(int fd, std::string_view bytes, off_t offset) override {
    const std::size_t part = Part(bytes.size());
    if (part > 0) (void)!FileOps::WriteAt(fd, bytes.substr(0, part), offset);
    return Answer(static_cast<ssize_t>(bytes.size()));
  }
  int Truncate(int fd, off_t size) override {
    if (broken_) return errno = EIO, -1;
    return FileOps::Truncate(fd, size);
  }
  int SyncData(int fd) override {
    if (!broken_ && ++step_ == fails_at_) broken_ = true;
    if (broken_) return errno = EIO, -1;
    struct stat info {};
    // Nothing is brought to a real disk: CutPower() is the only one that looks.
    if (::fstat(fd, &info) == 0) synced_[info.st_ino] = info.st_size;
    return 0;
  }

  bool broken() const { return broken_; }

  // Takes from the segment, whose bytes behind its last sync are lost in part or turned to zeros.
  void CutPower(const std::string& path) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) return;
    const std::int64_t kept = synced_[info.st_ino];
    std::uniform_int_distribution<std::int64_t> size(kept, info.st_size);
    const std::int64_t whole = size(random_);
    ASSERT_EQ(::truncate(path.c_str(), whole), 0);
    if (random_() % 2 == 0) {
      ASSERT_EQ(::truncate(path.c_str(), size(random_)), 0);
      if (random_() % 2 == 0) {
        ASSERT_EQ(::truncate(path.c_str(), info.st_size), 0);
      }
    }
  }

 private:
  std::size_t Part(std::size_t size) {
    if (broken_) return 0;
    if (++step_ != fails_at_) return size;
    broken_ = true;
    return std::uniform_int_distribution<std::size_t>(0, size)(random_);
  }
  ssize_t Answer(ssize_t done) const {
    if (!broken_) return done;
    return errno = EIO, -1;
  }

  const std::int64_t fails_at_;
  std::int64_t step_ = 0;
  bool broken_ = false;
  std::mt19937 random_;
  std::map<ino_t, std::int64_t> synced_;
};

class FaultTest : public LogTest {
 protected:
  std::set<std::string> Recorded() const {
    std::set<std::string> found;
    for (const std::int64_t segment : Segments()) {
      for (const std::string& line : Lines(Read(Segment(segment)))) {
        const auto seal = ReadSeal(line);
        if (!seal || !IsIntact(*seal)) continue;
        const std::size_t at = line.find("\"id\":\"");
        if (at != std::string::npos) found.insert(line.substr(at + 6, line.find('"', at + 6) - at - 6));
      }
    }
    return found;
  }
  // All but the key, whose making brings it to the disk each time.
  void Clear() const {
    for (const std::int64_t segment : Segments()) std::filesystem::remove(Segment(segment));
    std::filesystem::remove(HeadPath(folder_));
  }
  // How many appends were acknowledged before the fault.
  int AppendUntilBroken(FaultyFiles& files, SyncPolicy sync) const {
    WriterOptions options = Options();
    options.files = &files;
    options.sync = sync;
    options.segment_bytes_max = 1500;
    options.checkpoint_every = 6;
    Writer writer(options);
    int acknowledged = 0;
    for (; acknowledged < 30; ++acknowledged) {
      if (!writer.Append({Body(acknowledged)})) break;
    }
    return acknowledged;
  }
  void ExpectKept(int acknowledged, std::string_view when) const {
    const std::set<std::string> found = Recorded();
    for (int i = 0; i < acknowledged; ++i) {
      EXPECT_TRUE(found.contains(fmt::format("run-{}", i))) << when << ": " << i << " of " << acknowledged;
    }
  }
};

TEST_F(FaultTest, AnEndAtAnyStepLosesNothing) {
  for (int step = 1; step < 80; ++step) {
    FaultyFiles files(step, static_cast<unsigned>(step));
    const int acknowledged = AppendUntilBroken(files, SyncPolicy::kWritten);
    EXPECT_EQ(files.broken(), acknowledged < 30);
    Writer next(Options());
    Fill(next, 1000, 1002);
    const std::string when = fmt::format("step {}", step);
    ExpectKept(acknowledged, when);
    // The first head of all may have been torn: then nothing had begun.
    const AuditVerdict verdict = Verify();
    if (acknowledged > 0) {
      EXPECT_GE(verdict.last_seq, acknowledged + 2) << when;
    }
    for (const AuditFinding& finding : Broken(verdict)) {
      EXPECT_EQ(finding.kind, "damaged") << when << "\n" << Tell(verdict);
    }
    Clear();
  }
}

TEST_F(FaultTest, APowerCutTakesNothingThatWasSynced) {
  for (int step = 1; step < 120; ++step) {
    for (unsigned seed = 0; seed < 2; ++seed) {
      FaultyFiles files(step, seed * 1000 + static_cast<unsigned>(step));
      const int acknowledged = AppendUntilBroken(files, SyncPolicy::kDisk);
      if (!Segments().empty()) files.CutPower(Segment(Segments().back()));
      const std::string when = fmt::format("step {} seed {}", step, seed);
      ExpectKept(acknowledged, when);
      Writer next(Options());
      Fill(next, 1000, 1002);
      ExpectKept(acknowledged, when);
      EXPECT_TRUE(Recorded().contains("run-1001")) << when;
      EXPECT_GT(Verify().last_seq, acknowledged) << when;
      Clear();
    }
  }
}

// Room for `room` bytes of segments; what is written in place needs none.
class FullFiles : public FileOps {
 public:
  explicit FullFiles(std::size_t room) : room_(room) {}
  ssize_t Write(int fd, std::string_view bytes) override {
    const std::string_view part = bytes.substr(0, room_);
    if (part.empty()) return errno = ENOSPC, -1;
    const ssize_t count = FileOps::Write(fd, part);
    if (count > 0) room_ -= static_cast<std::size_t>(count);
    return count;
  }
  void Free(std::size_t bytes) { room_ += bytes; }

 private:
  std::size_t room_;
};

TEST_F(FaultTest, AFullDiskIsAnErrorAndNoLoss) {
  FullFiles files(2000);
  WriterOptions options = Options();
  options.files = &files;
  Writer writer(options);
  int acknowledged = 0;
  Expected<void> done;
  while ((done = writer.Append({Body(acknowledged)}))) ++acknowledged;
  EXPECT_EQ(done.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(done.error().cause.find("ENOSPC"), std::string::npos) << done.error().cause;
  EXPECT_TRUE(Verify().intact) << Tell(Verify());
  EXPECT_EQ(Verify().last_seq, acknowledged + 1);
  EXPECT_FALSE(writer.Append({Body(acknowledged)}));
  files.Free(10'000);
  Fill(writer, acknowledged, acknowledged + 3);
  const AuditVerdict verdict = Verify();
  EXPECT_TRUE(verdict.intact) << Tell(verdict);
  EXPECT_EQ(verdict.last_seq, acknowledged + 4);
}

}  // namespace
}  // namespace casemate::audit
