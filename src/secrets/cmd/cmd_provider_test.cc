#include "secrets/cmd/cmd_provider.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "secrets/provider/test_folder.h"

namespace casemate::secrets {
namespace {

using testing::HasSubstr;
using testing::Not;

bool IsZombie(pid_t pid) {
  std::string text;
  std::getline(std::ifstream("/proc/" + std::to_string(pid) + "/stat"), text);
  return text.contains(") Z");
}

std::string Value(const std::string& command, std::int64_t patience_ms = 20'000) {
  const auto fetched = MakeCmdProvider()->Fetch(command, Deadline::After(patience_ms));
  if (!fetched) return "error: " + fetched.error().ToString();
  return fetched->value ? std::string(fetched->value->Reveal()) : "missing: " + fetched->missing;
}

TEST(CmdProviderTest, TakesWhatACommandPrints) {
  EXPECT_EQ(Value("echo hunter2"), "hunter2");
  EXPECT_EQ(Value("printf 'a\\nb\\n\\n'"), "a\nb\n");
  EXPECT_EQ(Value("head -c 65536 /dev/zero | tr '\\0' x"), std::string(kSecretBytesMax, 'x'));
}

TEST(CmdProviderTest, TellsFailuresFromMissingOnes) {
  EXPECT_THAT(Value("echo hunter2; echo hunter2 >&2; exit 1"),
              AllOf(HasSubstr("missing: "), HasSubstr("exit code 1"), Not(HasSubstr("hunter2"))));
  EXPECT_THAT(Value("no-such-command-here"), HasSubstr("error: "));
  EXPECT_THAT(Value("kill -9 $$"), AllOf(HasSubstr("error: "), HasSubstr("137")));
  EXPECT_THAT(Value("true"), HasSubstr("printed nothing"));
  EXPECT_THAT(Value("head -c 65537 /dev/zero"), HasSubstr("more than 65536 bytes"));
  EXPECT_THAT(Value("cat /dev/zero"), HasSubstr("more than 65536 bytes"));
}

TEST(CmdProviderTest, DoesNotWaitForEver) {
  EXPECT_THAT(Value("echo hunter2; sleep 600", 200), HasSubstr("did not end in time"));
  EXPECT_THAT(Value("echo hunter2; exec >&-; sleep 600", 500), HasSubstr("did not end in time"));
  EXPECT_THAT(Value("sleep 600 & echo hunter2", 500), HasSubstr("did not end in time"));
}

TEST(CmdProviderTest, LeavesNothingBehind) {
  const TestFolder folder;
  const std::string path = folder.Path("pid");
  EXPECT_EQ(Value("sleep 600 >&- 2>&- <&- & echo $! >" + path + "; echo hunter2"), "hunter2");
  pid_t pid = 0;
  std::ifstream(path) >> pid;
  ASSERT_GT(pid, 0);
  // It is killed, but not ours to wait for.
  for (int tried = 0; kill(pid, 0) == 0 && tried < 2000 && !IsZombie(pid); ++tried) usleep(5'000);
  EXPECT_TRUE(kill(pid, 0) != 0 || IsZombie(pid));
}

TEST(CmdProviderTest, HandsNoDescriptorOn) {
  const int leaked = fcntl(STDOUT_FILENO, F_DUPFD, 3);  // without close-on-exec
  EXPECT_EQ(Value("test -e /proc/self/fd/" + std::to_string(leaked) + " && echo open || echo closed"),
            "closed");
  close(leaked);
}

}  // namespace
}  // namespace casemate::secrets
