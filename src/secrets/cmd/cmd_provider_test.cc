#include "secrets/cmd/cmd_provider.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace casemate::secrets {
namespace {

using testing::HasSubstr;
using testing::Not;

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
}

}  // namespace
}  // namespace casemate::secrets
