#include "surfaces/cli/terminal.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>

#include "base/unique_fd.h"

namespace casemate {
namespace {

TEST(EscapeForTerminalTest, HarmlessTextStays) {
  EXPECT_EQ(EscapeForTerminal("plain, ünïcödé, 日本語, 🙂"), "plain, ünïcödé, 日本語, 🙂");
}

TEST(EscapeForTerminalTest, NothingReachesTheTerminalsParser) {
  EXPECT_EQ(EscapeForTerminal("\x1b[31mred\x07"), "\\x1b[31mred\\x07");
  EXPECT_EQ(EscapeForTerminal("a\nb\rc\td"), "a\\nb\\rc\\td");
  EXPECT_EQ(EscapeForTerminal("\xc2\x9b"
                              "31m"),
            "\\x9b31m")
      << "CSI as one C1 character";
  // NOLINTNEXTLINE(misc-misleading-bidirectional): what is tested
  EXPECT_EQ(EscapeForTerminal("\xe2\x80\xae"
                              "evil"),
            "\\u202eevil")
      << "right-to-left override";
  EXPECT_EQ(EscapeForTerminal("\xf3\xa0\x81\x81"), "\\U000e0041") << "an invisible tag";
  EXPECT_EQ(EscapeForTerminal("\x9b\xff"), "\xEF\xBF\xBD\xEF\xBF\xBD") << "bytes that are no UTF-8";
  EXPECT_EQ(EscapeForTerminal(std::string_view("\0\x7f", 2)), "\\x00\\x7f");
}

TEST(ShortenTest, CountsCharactersNotBytes) {
  EXPECT_EQ(Shorten("äöü", 3), "äöü");
  EXPECT_EQ(Shorten("äöüß", 3), "äö…");
  EXPECT_EQ(Shorten("", 3), "");
  EXPECT_EQ(Shorten(std::string(1000, 'x'), 10), std::string(9, 'x') + "…");
}

class StyleTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ::unsetenv("NO_COLOR");
    ::setenv("TERM", "xterm", 1);
    master_.reset(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
    if (!master_.valid() || ::grantpt(master_.get()) != 0 || ::unlockpt(master_.get()) != 0) {
      GTEST_SKIP() << "no pseudo-terminal here";
    }
    terminal_.reset(::open(::ptsname(master_.get()), O_RDWR | O_NOCTTY | O_CLOEXEC));
    if (!terminal_.valid()) GTEST_SKIP() << "no pseudo-terminal here";
  }
  UniqueFd master_;
  UniqueFd terminal_;
};

TEST_F(StyleTest, ColoursOnlyOnATerminalThatWantsThem) {
  EXPECT_TRUE(StyleOf(terminal_.get(), true).colour);
  EXPECT_FALSE(StyleOf(terminal_.get(), false).colour);
  ::setenv("NO_COLOR", "1", 1);
  EXPECT_FALSE(StyleOf(terminal_.get(), true).colour);
  ::unsetenv("NO_COLOR");
  ::setenv("TERM", "dumb", 1);
  EXPECT_FALSE(StyleOf(terminal_.get(), true).colour);
  const UniqueFd file(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  EXPECT_FALSE(StyleOf(file.get(), true).colour);
}

TEST_F(StyleTest, WidthIsTheTerminals) {
  winsize size{};
  size.ws_col = 77;
  ASSERT_EQ(::ioctl(terminal_.get(), TIOCSWINSZ, &size), 0);
  EXPECT_EQ(StyleOf(terminal_.get(), true).columns, 77U);
}

TEST(StylePaintTest, PlainWithoutColours) {
  EXPECT_EQ(Style{}.Paint(Colour::kRed, "x"), "x");
  EXPECT_EQ((Style{.colour = true}).Paint(Colour::kRed, "x"), "\x1b[31mx\x1b[0m");
}

}  // namespace
}  // namespace casemate
