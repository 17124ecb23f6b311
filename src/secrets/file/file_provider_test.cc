#include "secrets/file/file_provider.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>

#include "secrets/provider/test_folder.h"

namespace casemate::secrets {
namespace {

using testing::HasSubstr;
using testing::Not;

class FileProviderTest : public testing::Test {
 protected:
  Expected<Fetched> Fetch(const std::string& place) {
    if (auto checked = provider_->Check(place); !checked) return std::unexpected(checked.error());
    return provider_->Fetch(place, Deadline::After(1000));
  }
  std::string Value(const std::string& place) {
    auto fetched = Fetch(place);
    if (!fetched) return "error: " + fetched.error().ToString();
    return fetched->value ? std::string(fetched->value->Reveal()) : "missing: " + fetched->missing;
  }
  void ExpectError(const std::string& place, const std::string& says) {
    EXPECT_THAT(Value(place),
                AllOf(testing::StartsWith("error: "), HasSubstr(says), Not(HasSubstr("hunter"))));
  }
  TestFolder folder_;
  std::unique_ptr<Provider> provider_ = MakeFileProvider();
};

TEST_F(FileProviderTest, DropsOneNewlineAtTheEnd) {
  EXPECT_EQ(Value(folder_.Write("a", "hunter2")), "hunter2");
  EXPECT_EQ(Value(folder_.Write("b", "hunter2\n")), "hunter2");
  EXPECT_EQ(Value(folder_.Write("c", "hunter2\r\n")), "hunter2");
  EXPECT_EQ(Value(folder_.Write("d", "line\nhunter2\n\n")), "line\nhunter2\n");
}

TEST_F(FileProviderTest, KeepsAnyBytes) {
  const std::string bytes("\x00\xff\x01 binary", 10);
  EXPECT_EQ(Value(folder_.Write("binary", bytes)), bytes);
  const std::string largest(kSecretBytesMax, 'x');
  EXPECT_EQ(Value(folder_.Write("largest", largest)), largest);
}

TEST_F(FileProviderTest, TellsOfOneThatIsMissing) {
  EXPECT_THAT(Value(folder_.Path("none")), AllOf(testing::StartsWith("missing: "), HasSubstr("chmod 600")));
  EXPECT_THAT(Value(folder_.Write("file", "x") + "/below"), testing::StartsWith("missing: "));
}

TEST_F(FileProviderTest, RefusesWhatOthersCanRead) {
  for (const mode_t mode : {0640U, 0604U, 0660U, 0777U}) {
    const std::string path = folder_.Write("open", "hunter2", mode);
    ExpectError(path, "chmod 600 " + path);
    EXPECT_EQ(Value(path + "#any-mode"), "hunter2");
  }
}

TEST_F(FileProviderTest, RefusesAnotherUsersFile) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  const std::string path = folder_.Write("foreign", "hunter2");
  ASSERT_EQ(chown(path.c_str(), 12345, 12345), 0);
  ExpectError(path, "belongs to another user, 12345");
  EXPECT_EQ(Value(path + "#any-mode"), "hunter2");
}

TEST_F(FileProviderTest, RefusesALinkUnlessToldToFollow) {
  folder_.Write("real", "hunter2");
  ASSERT_EQ(symlink("real", folder_.Path("link").c_str()), 0);
  ExpectError(folder_.Path("link"), "symbolic link");
  EXPECT_EQ(Value(folder_.Path("link") + "#follow"), "hunter2");
  folder_.Write("wide", "hunter2", 0644);
  ASSERT_EQ(symlink("wide", folder_.Path("link2").c_str()), 0);
  ExpectError(folder_.Path("link2") + "#follow", "can be read by other users");
  EXPECT_EQ(Value(folder_.Path("link2") + "#follow#any-mode"), "hunter2");
}

TEST_F(FileProviderTest, RefusesWhatIsNoFile) {
  ExpectError(folder_.Path("."), "is a folder");
  ASSERT_EQ(mkfifo(folder_.Path("fifo").c_str(), 0600), 0);
  ExpectError(folder_.Path("fifo"), "no regular file");
  ExpectError("/dev/null", "no regular file");
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  std::strncpy(name.sun_path, folder_.Path("socket").c_str(), sizeof name.sun_path - 1);
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&name), sizeof name), 0);
  ExpectError(folder_.Path("socket"), "no regular file");
  close(fd);
}

TEST_F(FileProviderTest, RefusesEmptyAndHugeFiles) {
  ExpectError(folder_.Write("empty", ""), "is empty");
  ExpectError(folder_.Write("newline", "\n"), "is empty");
  ExpectError(folder_.Write("huge", std::string(kSecretBytesMax + 1, 'x')), "more than 65536 bytes");
}

TEST_F(FileProviderTest, ExpandsTheHomeFolder) {
  folder_.Write("key", "hunter2");
  setenv("HOME", folder_.Path("").c_str(), 1);
  EXPECT_EQ(Value("~/key"), "hunter2");
  ExpectError("key", "must begin with / or ~/");
  ExpectError("~other/key", "must begin with / or ~/");
}

}  // namespace
}  // namespace casemate::secrets
