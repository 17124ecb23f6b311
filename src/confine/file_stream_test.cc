#include "confine/file_stream.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <string>
#include <thread>

#include "base/file.h"
#include "base/unique_fd.h"

namespace casemate {
namespace {

// A writer on one end and ReceiveFiles in a thread on the other, into a folder of its own.
class FileStreamTest : public testing::Test {
 protected:
  FileStreamTest() {
    std::string name = testing::TempDir() + "/file-stream-XXXXXX";
    folder_ = mkdtemp(name.data());
    std::filesystem::create_directory(folder_ + "/root");
    root_.reset(open((folder_ + "/root").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    std::array<int, 2> ends{};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()), 0);
    socket_.reset(ends[0]);
    receiver_ = std::thread([this, end = ends[1]] {
      const UniqueFd theirs(end);
      received_ = ReceiveFiles(theirs.get(), root_.get(), geteuid());
    });
  }
  ~FileStreamTest() override {
    socket_.reset();
    if (receiver_.joinable()) receiver_.join();
    std::filesystem::remove_all(folder_);
  }

  FileStreamWriter Writer() const { return FileStreamWriter(socket_.get()); }
  void Raw(std::string_view packet) const {
    ASSERT_EQ(send(socket_.get(), packet.data(), packet.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(packet.size()));
  }
  // What ReceiveFiles returned.
  int Received() {
    socket_.reset();
    receiver_.join();
    return received_;
  }
  std::string Path(const std::string& name) const { return folder_ + "/root/" + name; }
  mode_t ModeOf(const std::string& name) const {
    struct stat info {};
    return lstat(Path(name).c_str(), &info) == 0 ? info.st_mode : 0;
  }

  std::string folder_;
  UniqueFd root_;
  UniqueFd socket_;
  std::thread receiver_;
  int received_ = 1;
};

TEST_F(FileStreamTest, MakesFilesFoldersLinksAndMissingParents) {
  FileStreamWriter writer = Writer();
  const std::string large(3 * kFileRecordBytesMax + 7, 'x');
  ASSERT_TRUE(writer.Folder("empty/inner"));
  ASSERT_TRUE(writer.File("deep/er/large.bin", false, large));
  ASSERT_TRUE(writer.File("run.sh", true, "#!/bin/sh\n"));
  ASSERT_TRUE(writer.File("none", false, ""));
  ASSERT_TRUE(writer.File("zeros", false, std::string_view("\0\0\0", 3)));
  ASSERT_TRUE(writer.Symlink("links/up", "../run.sh"));
  ASSERT_TRUE(writer.End());
  ASSERT_EQ(Received(), 0);
  EXPECT_EQ(ReadFile(Path("deep/er/large.bin"), 1 << 20).value(), large);
  EXPECT_EQ(ReadFile(Path("zeros"), 10).value(), std::string(3, '\0'));
  EXPECT_EQ(ReadFile(Path("none"), 10).value(), "");
  EXPECT_TRUE(S_ISDIR(ModeOf("empty/inner")));
  EXPECT_EQ(ModeOf("run.sh") & 0100U, 0100U);
  EXPECT_EQ(ModeOf("none") & 0111U, 0U);
  EXPECT_EQ(std::filesystem::read_symlink(Path("links/up")), "../run.sh");
}

TEST_F(FileStreamTest, CopiesAnOpenFile) {
  const std::string bytes(2 * kFileRecordBytesMax, 'y');
  ASSERT_TRUE(WriteFileAtomically(folder_ + "/source", bytes, 0600));
  const UniqueFd source(open((folder_ + "/source").c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(Writer().FileFrom("copy", false, source.get()));
  ASSERT_TRUE(Writer().End());
  ASSERT_EQ(Received(), 0);
  EXPECT_EQ(ReadFile(Path("copy"), 1 << 20).value(), bytes);
}

TEST_F(FileStreamTest, KeepsNoFileOutsideOfItsFolder) {
  ASSERT_TRUE(Writer().File("../outside", false, "x"));
  EXPECT_EQ(Received(), -EXDEV);
  EXPECT_FALSE(FileExists(folder_ + "/outside"));
}

TEST_F(FileStreamTest, RefusesAnAbsolutePath) {
  ASSERT_TRUE(Writer().File(folder_ + "/outside", false, "x"));
  EXPECT_LT(Received(), 0);
  EXPECT_FALSE(FileExists(folder_ + "/outside"));
}

TEST_F(FileStreamTest, WritesThroughNoLink) {
  ASSERT_TRUE(WriteFileAtomically(folder_ + "/target", "old", 0600));
  std::filesystem::create_symlink(folder_ + "/target", Path("file"));
  // The receiver may have hung up at the name already, before it is sent the bytes.
  (void)Writer().File("file", false, "new");
  EXPECT_EQ(Received(), -ELOOP);
  EXPECT_EQ(ReadFile(folder_ + "/target", 10).value(), "old");
}

TEST_F(FileStreamTest, WritesThroughNoLinkedFolder) {
  std::filesystem::create_directory_symlink(folder_, Path("out"));
  (void)Writer().File("out/file", false, "new");  // as above
  EXPECT_EQ(Received(), -ELOOP);
  EXPECT_FALSE(FileExists(folder_ + "/file"));
}

TEST_F(FileStreamTest, RefusesAnUnknownRecord) {
  Raw("?what");
  EXPECT_EQ(Received(), -EPROTO);
}

TEST_F(FileStreamTest, RefusesAFileWithoutAName) {
  Raw("f");
  EXPECT_EQ(Received(), -EPROTO);
}

TEST_F(FileStreamTest, RefusesALinkWithoutAPath) {
  Raw("ltarget");
  EXPECT_EQ(Received(), -EPROTO);
}

TEST_F(FileStreamTest, RefusesDataWithoutAFile) {
  Raw("bbytes");
  EXPECT_EQ(Received(), -EBADF);
}

TEST_F(FileStreamTest, TellsAStreamThatWasCutShort) {
  ASSERT_TRUE(Writer().Folder("a"));
  EXPECT_EQ(Received(), -EPIPE);
}

TEST_F(FileStreamTest, TellsTheWriterThatNobodyReads) {
  Raw("?");
  receiver_.join();
  const auto sent = Writer().Folder("a");
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().cause, "sendmsg: EPIPE");
}

}  // namespace
}  // namespace casemate
