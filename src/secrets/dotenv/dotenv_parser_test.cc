#include "secrets/dotenv/dotenv_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

namespace casemate::secrets {
namespace {

using testing::HasSubstr;
using testing::Not;

const std::map<std::string, std::string, std::less<>>& Outer() {
  static const std::map<std::string, std::string, std::less<>> kOuter = {{"OUTER", "outer"}, {"BLANK", ""}};
  return kOuter;
}

// The value of `name`, "(none)" or "(error) ..." .
std::string Value(std::string_view text, std::string_view name) {
  const auto entries = ParseDotenv(text);
  if (!entries) return "(error) " + entries.error().message;
  const auto value = DotenvValue(*entries, name, [](std::string_view of) {
    const auto found = Outer().find(of);
    return found == Outer().end() ? std::nullopt : std::optional<std::string_view>(found->second);
  });
  if (!value) return "(error) " + value.error().message;
  return *value ? std::string((*value)->Reveal()) : "(none)";
}

struct Case {
  const char* text;
  const char* value;  // of K
};

TEST(DotenvTest, ReadsTheCommonGrammar) {
  constexpr Case kCases[] = {
      // NOLINT(modernize-avoid-c-arrays): its size is its list's
      {"K=v", "v"},
      {"K=", ""},
      {"export K=v\n", "v"},
      {"export\tK = v\n", "v"},
      {"export=v\nK=w", "w"},
      {"\xEF\xBB\xBFK=v", "v"},
      {"  K  =  two words  \n", "two words"},
      {"K=v # comment", "v"},
      {"K=v#no comment", "v#no comment"},
      {"K= # comment", ""},
      {"K=#value", "#value"},
      {"# K=w\nK=v\n# end", "v"},
      {"K=v\r\nJ=w\r\n", "v"},
      {"K='v # w' # comment", "v # w"},
      {"K=\"v # w\"", "v # w"},
      {"K='it\\'s \\n'", "it's \\n"},
      {"K=\"a\\nb\\t\\\"c\\\"\\q\"", "a\nb\t\"c\"\\q"},
      {"K=`a'\"\\n$OUTER`", "a'\"\\n$OUTER"},
      {"K=\"line one\nline two\"\nJ=w", "line one\nline two"},
      {"K='-----BEGIN\nabc==\n-----END'", "-----BEGIN\nabc==\n-----END"},
      {"K=a\\nb", "a\\nb"},
      {"K=a=b==", "a=b=="},
      {"K=first\nK=second", "second"},
      {"J\nK=v", "v"},
      {"K.dot-dash=w\nK=v", "v"},
      {"K=\"\"", ""},
      {"K=don't", "don't"},
  };
  for (const Case& test : kCases) EXPECT_EQ(Value(test.text, "K"), test.value) << test.text;
}

TEST(DotenvTest, FillsInReferences) {
  constexpr Case kCases[] = {
      // NOLINT(modernize-avoid-c-arrays): as above
      {"A=1\nK=$A", "1"},
      {"A=1\nK=x${A}y", "x1y"},
      {"A=1\nK=\"${A}-${A}\"", "1-1"},
      {"A=1\nK='$A ${A}'", "$A ${A}"},
      {"K=$OUTER", "outer"},
      {"OUTER=inner\nK=$OUTER", "inner"},
      {"A=1\nA=2\nK=$A\nA=3", "2"},
      {"A=1\nB=$A$A\nK=${B}", "11"},
      {"K=${NONE:-default}", "default"},
      {"K=${NONE-default}", "default"},
      {"K=${BLANK:-default}", "default"},
      {"K=x${BLANK-default}", "x"},
      {"A=\nK=${A:-default}", "default"},
      {"K=${NONE:-${OUTER}}", "outer"},
      {"K=${NONE:-a${NONE2:-b}c}", "abc"},
      {"K=x${NONE:+set}", "x"},
      {"K=${OUTER:+set}", "set"},
      {"K=x${BLANK:+set}", "x"},
      {"K=${BLANK+set}", "set"},
      {"K=${OUTER:?message}", "outer"},
      {"K=cost\\$5", "cost$5"},
      {"K=\"cost\\$OUTER\"", "cost$OUTER"},
      {"K=100$", "100$"},
      {"K=a$1b", "a$1b"},
      {"K=$(command)", "$(command)"},
      {"K=x\nK=$K$K", "xx"},
  };
  for (const Case& test : kCases) EXPECT_EQ(Value(test.text, "K"), test.value) << test.text;
}

TEST(DotenvTest, NamesTheLineAndNothingThatIsInIt) {
  constexpr Case kCases[] = {
      // NOLINT(modernize-avoid-c-arrays): as above
      {"A=1\nhunter2", "(none)"},
      {"A=1\n=hunter2\n", "(error) line 2: it has no name"},
      {"A=1\n\n%hunter2", "(error) line 3: it has no name"},
      {"K hunter2", "(error) line 1: after a name comes"},
      {"K: hunter2", "(error) line 1: after a name comes"},
      {"2K=hunter2", "(error) line 1: a name begins with"},
      {"A=1\nK=\"hunter2\nB=3\n", "(error) line 2: the quote that opens there is never closed"},
      {"K='hunter2' hunter3", "(error) line 1: behind a closing quote"},
      {"A='x\ny' hunter3", "(error) line 2: behind a closing quote"},
      {"A=1\nK=$hunter2", "(error) line 2: it refers to a variable that is not set"},
      {"K=${hunter2:?hunter3}", "(error) line 1: it refers to a variable that is not set"},
      {"K=${hunter2", "(error) line 1: a \"${\" is not closed"},
      {"K=${}", "(error) line 1: a \"${\" is not closed, or has no name"},
      {"K=${hunter2/x/y}", "(error) line 1: in ${NAME...}"},
      {"K=${hunter2:}", "(error) line 1: in ${NAME...}"},
      {"K=$K", "(error) line 1: it refers to a variable that is not set"},
  };
  for (const Case& test : kCases) {
    const std::string value = Value(test.text, "K");
    EXPECT_THAT(value, AllOf(HasSubstr(test.value), Not(HasSubstr("hunter")))) << test.text;
  }
  EXPECT_THAT(Value(std::string_view("K=a\0b", 5), "K"), HasSubstr("zero byte"));
}

TEST(DotenvTest, BoundsWhatReferencesCanDo) {
  std::string bomb = "A0=xxxxxxxxxxxxxxxx\n";
  std::string hollow = "A0=\n";
  std::string chain = "A0=x\n";
  for (int i = 1; i <= 60; ++i) {
    const std::string before = "${A" + std::to_string(i - 1) + "}";
    const std::string name = "A" + std::to_string(i) + "=";
    bomb += name + before + before + "\n";
    hollow += name + before + before + "\n";
    chain += name + before + "\n";
  }
  EXPECT_THAT(Value(bomb, "A20"), HasSubstr("more than 65536 bytes"));
  EXPECT_THAT(Value(hollow, "A30"), HasSubstr("too many other lines"));
  EXPECT_THAT(Value(chain, "A60"), HasSubstr("too many other lines"));
  EXPECT_EQ(Value(chain, "A30"), "x");
}

TEST(DotenvTest, KnowsWhatIsNotThere) {
  EXPECT_EQ(Value("A=1", "K"), "(none)");
  EXPECT_EQ(Value("K", "K"), "(none)");
  EXPECT_EQ(Value("", "K"), "(none)");
}

}  // namespace
}  // namespace casemate::secrets
