// Each way to change a log ends in a finding that says where.
#include <fcntl.h>
#include <unistd.h>

#include "audit/checkpoint.h"
#include "audit/log_fixture.h"
#include "audit/record.h"

namespace casemate::audit {
namespace {

class TamperTest : public LogTest {
 protected:
  TamperTest() {
    WriterOptions options = Options();
    options.checkpoint_every = 10;
    options.segment_bytes_max = 6000;
    Writer writer(options);
    Fill(writer, 0, 60);
    EXPECT_TRUE(Verify().intact) << Tell(Verify());
    EXPECT_GE(Segments().size(), 3U);
  }

  // One finding at least, the first of them at `seq` of `segment`.
  void ExpectFound(std::string_view what, std::int64_t segment, std::int64_t seq) {
    const AuditVerdict verdict = Verify();
    EXPECT_FALSE(verdict.intact) << what;
    const auto broken = Broken(verdict);
    ASSERT_FALSE(broken.empty()) << what;
    EXPECT_FALSE(broken[0].message.empty());
    EXPECT_EQ(broken[0].segment, Name(segment)) << what << "\n" << Tell(verdict);
    EXPECT_EQ(broken[0].seq, seq) << what << "\n" << Tell(verdict);
  }
  std::string Name(std::int64_t segment) const { return Segment(segment).substr(folder_.size() + 1); }
  static std::int64_t SeqOf(const std::string& line) { return ReadSeal(line)->seq; }
};

// Every byte of a record, to another byte of each class.
TEST_F(TamperTest, FindsEveryChangedByte) {
  const std::string before = Read(Segment(2));
  const std::vector<std::string> lines = Lines(before);
  constexpr std::size_t kVictim = 3;
  std::size_t start = 0;
  for (std::size_t i = 0; i < kVictim; ++i) start += lines[i].size() + 1;
  const std::int64_t seq = SeqOf(lines[kVictim]);
  const int fd = ::open(Segment(2).c_str(), O_RDWR | O_CLOEXEC);
  const UniqueFd owner(fd);
  for (std::size_t i = 0; i <= lines[kVictim].size(); ++i) {
    const char was = before[start + i];
    for (const char other : {'0', 'a', 'Z', '"', '\\', '\n', '\0', ' ', '\x80', '\xff', '}'}) {
      if (other == was) continue;
      ASSERT_EQ(::pwrite(fd, &other, 1, static_cast<off_t>(start + i)), 1);
      const AuditVerdict verdict = Verify();
      const auto broken = Broken(verdict);
      ASSERT_FALSE(broken.empty()) << "byte " << i << " to " << static_cast<int>(other);
      EXPECT_EQ(broken[0].segment, Name(2));
      EXPECT_GE(broken[0].seq, seq) << "byte " << i << "\n" << Tell(verdict);
      EXPECT_LE(broken[0].seq, seq + 1) << "byte " << i << "\n" << Tell(verdict);
    }
    ASSERT_EQ(::pwrite(fd, &was, 1, static_cast<off_t>(start + i)), 1);
  }
  EXPECT_TRUE(Verify().intact);
}

TEST_F(TamperTest, FindsAnEditWhoseHashWasMadeAnew) {
  std::vector<std::string> lines = Lines(Read(Segment(2)));
  const auto seal = ReadSeal(lines[4]);
  Link link{seal->seq - 1, std::string(seal->prev)};
  lines[4] = Seal(R"({"kind":"intent","time":"2026-11-21T14:00:00.000000Z","id":"run-other")", link);
  lines[4].pop_back();
  Write(Segment(2), Join(lines));
  ExpectFound("a replaced record", 2, link.seq);
}

TEST_F(TamperTest, FindsRemovedRecords) {
  std::vector<std::string> lines = Lines(Read(Segment(2)));
  const std::int64_t seq = SeqOf(lines[5]);
  lines.erase(lines.begin() + 5);
  Write(Segment(2), Join(lines));
  ExpectFound("a removed record", 2, seq);
}

TEST_F(TamperTest, FindsReorderedRecords) {
  std::vector<std::string> lines = Lines(Read(Segment(2)));
  const std::int64_t seq = SeqOf(lines[5]);
  std::swap(lines[5], lines[6]);
  Write(Segment(2), Join(lines));
  ExpectFound("two records in the other order", 2, seq);
}

TEST_F(TamperTest, FindsInsertedRecords) {
  std::vector<std::string> lines = Lines(Read(Segment(2)));
  const std::int64_t seq = SeqOf(lines[5]);
  std::vector<std::string> twice = lines;
  twice.insert(twice.begin() + 7, lines[5]);
  Write(Segment(2), Join(twice));
  ExpectFound("a record that is there twice", 2, seq);
  const auto seal = ReadSeal(lines[5]);
  Link link{seal->seq, std::string(seal->hash)};
  std::string forged = Seal(R"({"kind":"intent","id":"run-forged")", link);
  forged.pop_back();
  lines.insert(lines.begin() + 6, forged);
  Write(Segment(2), Join(lines));
  ExpectFound("a record that was put between two", 2, link.seq);
}

TEST_F(TamperTest, FindsATruncatedEnd) {
  const std::int64_t last = Segments().back();
  std::vector<std::string> lines = Lines(Read(Segment(last)));
  const std::int64_t seq = SeqOf(lines.back());
  lines.pop_back();
  Write(Segment(last), Join(lines));
  ExpectFound("a last record that is gone", last, seq);
}

TEST_F(TamperTest, FindsRemovedFiles) {
  const std::int64_t last = Segments().back();
  const std::string second = Read(Segment(2));
  const std::int64_t first_of_second = SeqOf(Lines(second).front());
  std::filesystem::remove(Segment(2));
  ExpectFound("a segment in the middle", 3, first_of_second);
  Write(Segment(2), second);

  const std::string end = Read(Segment(last));
  std::filesystem::remove(Segment(last));
  ExpectFound("the last segment", last - 1, SeqOf(Lines(end).front()));
  Write(Segment(last), end);

  const std::string first = Read(Segment(1));
  std::filesystem::remove(Segment(1));
  const auto broken = Broken(Verify());
  ASSERT_FALSE(broken.empty());
  EXPECT_EQ(broken.back().seq, 1);
  EXPECT_EQ(broken.back().kind, "missing");
  Write(Segment(1), first);
  EXPECT_TRUE(Verify().intact) << Tell(Verify());
}

TEST_F(TamperTest, FindsSwappedFiles) {
  const std::string second = Read(Segment(2));
  const std::string third = Read(Segment(3));
  Write(Segment(2), third);
  Write(Segment(3), second);
  ExpectFound("two segments in the other order", 2, SeqOf(Lines(second).front()));
}

TEST_F(TamperTest, FindsAChangedOrMissingHead) {
  const std::string head = Read(HeadPath(folder_));
  for (std::size_t i = 0; i < head.size(); ++i) {
    std::string changed = head;
    changed[i] = changed[i] == '1' ? '2' : '1';
    Write(HeadPath(folder_), changed);
    const auto broken = Broken(Verify());
    ASSERT_EQ(broken.size(), 1U) << i;
    EXPECT_EQ(broken[0].kind, "head");
  }
  std::filesystem::remove(HeadPath(folder_));
  const auto broken = Broken(Verify());
  ASSERT_EQ(broken.size(), 1U);
  EXPECT_EQ(broken[0].kind, "head");
}

// Who has no key cannot make the chain anew, whatever else of the folder is written again.
TEST_F(TamperTest, FindsAChainThatWasMadeAnew) {
  Link link;
  std::int64_t victim = 0;
  Head head = *DecodeHead(Read(HeadPath(folder_)));
  for (const std::int64_t segment : Segments()) {
    std::string text;
    for (const std::string& line : Lines(Read(Segment(segment)))) {
      const auto seal = ReadSeal(line);
      std::string body(seal->hashed.substr(0, seal->hashed.rfind(",\"seq\":")));
      if (seal->seq == 25) {
        victim = seal->seq;
        body.replace(body.find("run-"), 4, "RUN-");
      }
      text += Seal(std::move(body), link);
    }
    Write(Segment(segment), text);
    head.size = static_cast<std::int64_t>(text.size());
  }
  head.last = link;
  Write(HeadPath(folder_), EncodeHead(head));
  const auto broken = Broken(Verify());
  ASSERT_FALSE(broken.empty());
  EXPECT_EQ(broken[0].kind, "checkpoint");
  EXPECT_GT(broken[0].seq, victim);
  EXPECT_LE(broken[0].seq, victim + 12) << "the next checkpoint tells";
}

TEST_F(TamperTest, FindsRemovedCheckpoints) {
  Link link;
  Head head = *DecodeHead(Read(HeadPath(folder_)));
  for (const std::int64_t segment : Segments()) {
    std::string text;
    for (const std::string& line : Lines(Read(Segment(segment)))) {
      if (IsCheckpoint(line)) continue;
      const auto seal = ReadSeal(line);
      text += Seal(std::string(seal->hashed.substr(0, seal->hashed.rfind(",\"seq\":"))), link);
    }
    // As many records as make a missing signature more than a late one.
    for (int i = 0; i < 40; ++i) text += Seal(Body(i), link);
    Write(Segment(segment), text);
    head.size = static_cast<std::int64_t>(text.size());
  }
  head.last = link;
  Write(HeadPath(folder_), EncodeHead(head));
  const auto broken = Broken(Verify());
  ASSERT_EQ(broken.size(), 1U);
  EXPECT_EQ(broken[0].kind, "checkpoint");
}

TEST_F(TamperTest, FindsAnotherKey) {
  const std::string kept = folder_ + "/kept.pub";
  Write(kept, Read(PublicKeyPath(folder_)));
  EXPECT_TRUE(Verify({.public_key_file = kept}).intact);
  Write(PublicKeyPath(folder_), std::string(kPublicKeyDigits, '1') + "\n");
  const auto broken = Broken(Verify());
  ASSERT_FALSE(broken.empty());
  EXPECT_EQ(broken[0].kind, "checkpoint");
  std::filesystem::remove(PublicKeyPath(folder_));
  EXPECT_FALSE(Verify().intact);
  Write(kept, std::string(kPublicKeyDigits, 'f') + "\n");
  EXPECT_FALSE(Verify({.public_key_file = kept}).intact);
}

TEST_F(TamperTest, HoldsTheLogAgainstWhatWasNotedElsewhere) {
  const AuditVerdict noted = Verify();
  EXPECT_TRUE(Verify({.expected = {{noted.last_seq, noted.last_hash}}}).intact);
  EXPECT_FALSE(Verify({.expected = {{noted.last_seq - 1, noted.last_hash}}}).intact);
  EXPECT_FALSE(Verify({.expected = {{noted.last_seq + 1, noted.last_hash}}}).intact);
}

TEST_F(TamperTest, ToleratesAnythingAsASegment) {
  for (const std::string_view bytes : {"", "\n", "{}\n", "\n\n\n", "{\"seq\":1}", "\0\0\0\0"}) {
    Write(Segment(2), bytes);
    EXPECT_FALSE(Verify().intact);
  }
}

}  // namespace
}  // namespace casemate::audit
