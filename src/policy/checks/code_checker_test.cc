#include "policy/checks/code_checker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "base/instrumented.h"
#include "policy/checks/rules.h"
#include "policy/checks/source_text.h"

namespace casemate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

CheckReport Check(const std::string& code, ChecksPolicy policy = {}) {
  return CodeChecker::Make(std::move(policy))->Check(code);
}

std::vector<std::string> Rules(const CheckReport& report) {
  std::vector<std::string> rules;
  for (const Finding& finding : report.findings) rules.push_back(finding.rule);
  return rules;
}

TEST(CodeCheckerTest, TellsWhereAndWhy) {
  const CheckReport report = Check("x = 1\nif x:\n    y = eval('2')\n");
  ASSERT_EQ(report.findings.size(), 1U);
  const Finding& finding = report.findings[0];
  EXPECT_EQ(finding.rule, "forbidden-call");
  EXPECT_EQ(finding.severity, Severity::kError);
  EXPECT_EQ(finding.line, 3);
  EXPECT_EQ(finding.column, 9);
  EXPECT_EQ(finding.snippet, "y = eval('2')");
  EXPECT_THAT(finding.reason, HasSubstr("eval runs text as code"));
  EXPECT_FALSE(finding.remedy.empty());
}

TEST(CodeCheckerTest, AllowsPackagesByName) {
  EXPECT_THAT(Rules(Check("import os\nos.getcwd()", {.allowed_packages = {"os"}})), IsEmpty());
  EXPECT_THAT(Rules(Check("import urllib.parse\n", {.allowed_packages = {"urllib.parse"}})), IsEmpty());
  EXPECT_THAT(Rules(Check("import urllib.request\n", {.allowed_packages = {"urllib.parse"}})),
              ElementsAre("forbidden-import"));
  EXPECT_THAT(Rules(Check("import osmium\n", {.allowed_packages = {"math"}})), IsEmpty());
}

TEST(CodeCheckerTest, AllowingAPartOfAModuleDoesNotAllowTheRest) {
  const ChecksPolicy policy{.allowed_packages = {"os.path"}};
  EXPECT_THAT(Rules(Check("import os.path\nos.path.join('a', 'b')\n", policy)), IsEmpty());
  EXPECT_THAT(Rules(Check("import os.path\nos.listdir()\n", policy)), ElementsAre("forbidden-import"));
  EXPECT_THAT(Rules(Check("from os import path\n", policy)), IsEmpty());
  EXPECT_THAT(Rules(Check("from os import listdir\n", policy)), ElementsAre("forbidden-import"));
}

TEST(CodeCheckerTest, MeasuresComplexity) {
  const CheckReport report = Check(
      "def f(n):\n"
      "    for i in range(n):\n"
      "        if i and n:\n"
      "            for j in range(i):\n"
      "                print(j)\n"
      "    return [x for x in range(n) for y in range(n) if y]\n");
  ASSERT_EQ(report.complexity.size(), 2U);
  const Complexity& whole = report.complexity[0];
  EXPECT_EQ(whole.lines, 6);
  EXPECT_EQ(whole.functions, 1);
  EXPECT_EQ(whole.loops, 4);
  EXPECT_EQ(whole.loop_depth, 2);
  EXPECT_EQ(whole.calls, 5);
  EXPECT_EQ(whole.cyclomatic, 8);  // 1, for, if, and, for, for, for, if
  EXPECT_EQ(whole.nesting, 4);
  EXPECT_EQ(report.complexity[1].name, "f");
  EXPECT_EQ(report.complexity[1].nesting, 3);
  EXPECT_EQ(report.complexity[1].loops, 4);
}

TEST(CodeCheckerTest, NamesFunctionsByTheirClass) {
  const CheckReport report = Check("class A:\n    def f(self):\n        def g(): pass\n");
  ASSERT_EQ(report.complexity.size(), 3U);
  EXPECT_EQ(report.complexity[1].name, "A.f");
  EXPECT_EQ(report.complexity[1].line, 2);
  EXPECT_EQ(report.complexity[2].name, "A.f.g");
  EXPECT_EQ(report.complexity[2].line, 3);
}

TEST(CodeCheckerTest, RefusesWhatIsTooComplex) {
  const std::string loops = "for i in x:\n    for j in i:\n        pass\n";
  EXPECT_THAT(Rules(Check(loops, {.complexity = {{"loops", 2}, {"loop_depth", 2}}})), IsEmpty());
  const CheckReport report = Check(loops, {.complexity = {{"loops", 1}}});
  ASSERT_THAT(Rules(report), ElementsAre("too-complex"));
  EXPECT_THAT(report.findings[0].reason, HasSubstr("too many loops"));
  EXPECT_TRUE(report.refused());
  const CheckReport function = Check("def f():\n    g()\n    g()\n", {.complexity = {{"function_calls", 1}}});
  ASSERT_THAT(Rules(function), ElementsAre("too-complex"));
  EXPECT_THAT(function.findings[0].reason, HasSubstr("in f"));
}

TEST(CodeCheckerTest, RefusesPoliciesThatMeanNothing) {
  EXPECT_FALSE(CodeChecker::Make({.complexity = {{"beauty", 1}}}));
  EXPECT_FALSE(CodeChecker::Make({.complexity = {{"loops", -1}}}));
  EXPECT_FALSE(CodeChecker::Make({.allowed_packages = {"os; rm"}}));
  EXPECT_FALSE(CodeChecker::Make({.allowed_packages = {""}}));
}

TEST(CodeCheckerTest, RefusesTextsThatAreNoPrograms) {
  EXPECT_THAT(Rules(Check("\xff\xfe")), ElementsAre("syntax-error"));
  EXPECT_THAT(Rules(Check(std::string("x\0y", 3))), ElementsAre("syntax-error"));
  EXPECT_THAT(Rules(Check("def f(:\n")), ElementsAre("syntax-error"));
  EXPECT_THAT(Rules(Check(std::string(kSourceBytesMax + 1, ' '))), ElementsAre("too-large"));
  EXPECT_THAT(Rules(Check("")), IsEmpty());
  EXPECT_THAT(Rules(Check("\xef\xbb\xbfx = 1\n")), IsEmpty());
}

TEST(CodeCheckerTest, ReadsWindowsLineEnds) {
  EXPECT_THAT(Rules(Check("x = 1\r\nif x:\r\n    print(x)\r\n")), IsEmpty());
}

TEST(CodeCheckerTest, SeesALineThatEndsLikeOnAnOldMac) {
  EXPECT_THAT(Rules(Check("# comment\rimport os\r")), ElementsAre("forbidden-import"));
}

// Each takes a moment at most, whatever the parser makes of it.
TEST(CodeCheckerTest, EndsSoonOnHostileTexts) {
  const auto times = [](std::size_t count, const std::string& text) {
    std::string all;
    while (all.size() < count * text.size()) all += text;
    return all;
  };
  const std::vector<std::string> texts = {
      times(kSourceBytesMax, "("),    times(10'000'000, "["),     times(500'000, "-") + "x",
      times(200'000, "not ") + "x",   "x" + times(200'000, ".a"), "x" + times(200'000, "()"),
      "x" + times(200'000, "+x"),     times(300'000, "x,"),       times(300'000, "if x:\n "),
      times(100'000, "lambda:"),      times(500'000, "\"\"\""),   "f" + times(100'000, "'{f"),
      times(1'000'000, "\\\n"),       times(500'000, "@"),        "x = " + times(200'000, "'a'"),
      times(100'000, "x if x else "), times(200'000, "[*"),       times(100'000, "async "),
  };
  for (const std::string& text : texts) {
    const auto begin = std::chrono::steady_clock::now();
    const CheckReport report = Check(text);
    const auto spent = std::chrono::steady_clock::now() - begin;
    EXPECT_LT(spent, std::chrono::seconds(kInstrumented ? 600 : 30)) << text.substr(0, 20);
    EXPECT_LE(report.findings.size(), kFindingsMax);
  }
}

TEST(CodeCheckerTest, TellsOfSoManyFindingsAndNoMore) {
  std::string code;
  for (int i = 0; i < 3000; ++i) code += "eval(x)\n";
  const CheckReport report = Check(code);
  EXPECT_EQ(report.findings.size(), kFindingsMax);
  EXPECT_TRUE(report.cut);
}

// The tables are what the profile says, and each rule says why.
TEST(RulesTest, EveryRuleHasItsReason) {
  for (const CheckRule& rule : CheckRules()) {
    EXPECT_FALSE(rule.remedy.empty()) << rule.id;
    EXPECT_EQ(&RuleOfKind(rule.kind), &rule) << "two rules of the kind " << rule.kind;
  }
  for (const RuleName& row : RuleNames()) EXPECT_FALSE(row.reason.empty()) << row.name;
  EXPECT_NE(FindModule("os.path"), nullptr);
  EXPECT_EQ(FindModule("osmium"), nullptr);
  EXPECT_NE(FindCallable("os.execv"), nullptr);
  EXPECT_EQ(FindCallable("os.getcwd"), nullptr);
  EXPECT_TRUE(IsForbiddenDunder("__globals__"));
  EXPECT_FALSE(IsForbiddenDunder("__init__"));
  EXPECT_FALSE(IsForbiddenDunder("____"));
}

TEST(RulesTest, ReadsNamesAsPythonDoes) {
  EXPECT_EQ(PlainName("eval"), "eval");
  EXPECT_EQ(PlainName("\xf0\x9d\x90\x9eval"), "eval");
  EXPECT_EQ(PlainName("\xef\xac\x81x"), "fix");
  EXPECT_EQ(PlainName("gr\xc3\xb6\xc3\x9f\x65"), "gr\xc3\xb6\xc3\x9f\x65");
}

}  // namespace
}  // namespace casemate
