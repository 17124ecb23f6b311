#include "policy/glob.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

namespace casemate {
namespace {

using testing::HasSubstr;

bool Match(std::string_view pattern, std::string_view path) {
  const auto glob = Glob::Parse(pattern);
  EXPECT_TRUE(glob) << pattern;
  return glob && glob->Matches(path);
}

struct Case {
  const char* pattern;
  std::vector<const char*> matches;
  std::vector<const char*> others;
};

TEST(Glob, Matches) {
  const Case cases[] = {
      {"a.csv", {"a.csv"}, {"b.csv", "a.csvx", "xa.csv", "d/a.csv", "A.csv"}},
      {"*.csv", {"a.csv", ".csv", "a.b.csv"}, {"d/a.csv", "a.csv/", "a.csvx"}},
      {"*", {"a", ".hidden", ""}, {"a/b"}},
      {"**", {"a", "a/b", "a/b/.c", ""}, {}},
      {"out/**", {"out/a", "out/a/b"}, {"out", "outer/a", "x/out/a"}},
      {"out/", {"out/a", "out/a/b"}, {"out", "a"}},
      {"**/a", {"a", "x/a", "x/y/a"}, {"xa", "x/ya", "a/x", "x/a/y"}},
      {"**/*.png", {"a.png", "x/a.png", "x/y/.png"}, {"a.pngx", "x/a.jpg"}},
      {"a/**/b", {"a/b", "a/x/b", "a/x/y/b"}, {"ab", "a/xb", "b", "a/b/x"}},
      {"**/a/**/b", {"a/b", "x/a/y/b", "a/a/b"}, {"a", "b/a"}},
      {"**/**/c", {"c", "a/c", "a/b/c"}, {"xc"}},
      {"a**b", {"ab", "axxb"}, {"a/b"}},
      {"a/***", {"a/b"}, {"a/b/c"}},
      {"?.c", {"a.c", "\xc3\xa9.c", "\xff.c"}, {".c", "ab.c", "/.c"}},
      {"[a-c]x", {"ax", "bx", "cx"}, {"dx", "-x", "x"}},
      {"[!a-c]x", {"dx", "-x"}, {"ax", "/x"}},
      {"[^a]", {"b"}, {"a"}},
      {"[]a]", {"]", "a"}, {"b"}},
      {"[a-]", {"a", "-"}, {"b"}},
      {"[\\]]", {"]"}, {"\\"}},
      {"x[/]y", {}, {"x/y"}},
      {"[\xc3\xa0-\xc3\xbf]", {"\xc3\xa9"}, {"e", "\xc3"}},
      {"\\*", {"*"}, {"a", "\\*"}},
      {"./a", {"a"}, {"./a"}},
      {"a*b*c", {"abc", "aXbYc", "abcbc"}, {"acb", "ab"}},
      {"..x", {"..x"}, {"x"}},
  };
  for (const Case& c : cases) {
    for (const char* path : c.matches) EXPECT_TRUE(Match(c.pattern, path)) << c.pattern << " on " << path;
    for (const char* path : c.others) EXPECT_FALSE(Match(c.pattern, path)) << c.pattern << " on " << path;
  }
}

TEST(Glob, RefusalsSayWhatToWrite) {
  const std::pair<std::string, const char*> cases[] = {{"", "write ** for everything"},
                                                       {"/a", "relative to the workspace"},
                                                       {"../a", "with \"..\""},
                                                       {"a/../b", "with \"..\""},
                                                       {"a/..", "with \"..\""},
                                                       {"..", "with \"..\""},
                                                       {"[a", "without its \"]\""},
                                                       {"[", "without its \"]\""},
                                                       {"[]", "without its \"]\""},
                                                       {"[z-a]", "swap them"},
                                                       {"a\\", "ends with"},
                                                       {std::string(5000, 'a'), "shorten it"},
                                                       {"[!", "without its"},
                                                       {"[a\\", "without its"}};
  for (const auto& [pattern, message] : cases) {
    const auto glob = Glob::Parse(pattern);
    ASSERT_FALSE(glob) << pattern;
    EXPECT_EQ(glob.error().code, ErrorCode::kInvalidRequest);
    EXPECT_THAT(glob.error().message, HasSubstr(message));
  }
}

TEST(Glob, HostilePatternsTakeLinearTime) {
  std::string stars, folders;
  for (int i = 0; i < 100; ++i) {
    stars += "a*";
    folders += "**/a/";
  }
  std::string names;
  for (int i = 0; i < 1000; ++i) names += "a/";
  const auto start = std::chrono::steady_clock::now();
  EXPECT_FALSE(Match(stars + "b", std::string(4000, 'a')));
  EXPECT_FALSE(Match(folders + "b", names));
  EXPECT_TRUE(Match(folders + "*", names + "x"));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
}

}  // namespace
}  // namespace casemate
