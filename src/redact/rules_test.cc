// Each rule's own examples, as its file has them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <vector>

#include "base/file.h"
#include "casemate/redactor.h"
#include "redact/example_text.h"
#include "redact/rules/rule_file.h"

namespace casemate {
namespace {

std::vector<RuleExamples> AllExamples() {
  std::vector<RuleExamples> all;
  for (const auto& entry : std::filesystem::directory_iterator("profiles/redaction")) {
    const auto text = ReadFile(entry.path(), 1 << 20);
    if (!text) continue;
    auto file = ReadRuleFile(entry.path().string(), *text);
    EXPECT_TRUE(file.has_value()) << file.error().message;
    if (!file) continue;
    for (RuleExamples& examples : file->examples) all.push_back(std::move(examples));
  }
  return all;
}

struct Cleaned {
  std::string text;
  std::vector<Redaction> found;
};
Cleaned Clean(std::string_view text, const RedactionRules& rules = {"all", {}, "", ""}) {
  auto redactor = MakeRedactor(rules, {});
  EXPECT_TRUE(redactor.has_value()) << redactor.error().message;
  return {(*redactor)->Text(text, "stdout").text(), (*redactor)->Redactions()};
}

TEST(Rules, ThereAreMoreThanAHundredKinds) {
  std::set<std::string> names;
  for (const RuleExamples& examples : AllExamples()) names.insert(examples.rule);
  EXPECT_EQ(names.size(), BuiltInRedactionRules().size());
  EXPECT_GE(names.size(), 100U);
}

TEST(Rules, TakeOutTheirExamples) {
  for (const RuleExamples& examples : AllExamples()) {
    EXPECT_FALSE(examples.match.empty()) << examples.rule;
    for (const std::string& example : examples.match) {
      for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        const std::string text = ExpandExample(example, seed);
        const Cleaned cleaned = Clean("before " + text + " after");
        EXPECT_NE(cleaned.text, "before " + text + " after") << examples.rule << ": " << text;
        EXPECT_THAT(cleaned.text, testing::StartsWith("before ")) << examples.rule << ": " << text;
        EXPECT_THAT(cleaned.text, testing::EndsWith(" after")) << examples.rule << ": " << text;
        if (cleaned.text == "before " + text + " after") break;
      }
    }
  }
}

TEST(Rules, LeaveTheirCounterExamples) {
  for (const RuleExamples& examples : AllExamples()) {
    for (const std::string& example : examples.no_match) {
      const std::string text = "before " + ExpandExample(example, 7) + " after";
      for (const Redaction& found : Clean(text).found) EXPECT_NE(found.rule, examples.rule) << text;
    }
  }
}

}  // namespace
}  // namespace casemate
