// The corpus of tests/checks/: what the filter catches, what it honestly does not, and what it must leave
// alone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "policy/checks/code_checker.h"

namespace casemate {
namespace {

struct Program {
  std::string title;  // what follows "#== "
  std::string code;
};

std::vector<Program> ReadCorpus(const std::string& name) {
  std::ifstream file("tests/checks/" + name, std::ios::binary);
  std::vector<Program> programs;
  constexpr std::string_view kMark = "#== ";
  for (std::string line; std::getline(file, line, '\n');) {
    if (line.starts_with(kMark)) {
      programs.push_back({line.substr(kMark.size()), ""});
    } else if (!programs.empty()) {
      programs.back().code += line + "\n";
    }
  }
  return programs;
}

CheckReport Check(const std::string& code) { return CodeChecker::Make({})->Check(code); }

std::string Describe(const CheckReport& report) {
  std::ostringstream text;
  for (const Finding& f : report.findings)
    text << f.rule << " " << f.line << ":" << f.column << " " << f.reason << "\n";
  return text.str();
}

TEST(CorpusTest, CatchesWhatItSaysItCatches) {
  int caught = 0;
  for (const Program& program : ReadCorpus("obfuscations.txt")) {
    if (!program.title.starts_with("caught ")) continue;
    const std::string rule = program.title.substr(7, program.title.find(':') - 7);
    const CheckReport report = Check(program.code);
    EXPECT_TRUE(report.refused()) << program.title;
    EXPECT_THAT(report.findings, ::testing::Contains(::testing::Field(&Finding::rule, rule)))
        << program.title << "\n"
        << Describe(report);
    ++caught;
  }
  EXPECT_GE(caught, 80);
}

// Each line here is a debt of the filter, and one day's success is a reason to move it up.
TEST(CorpusTest, LetsPassWhatItSaysItLetsPass) {
  int passes = 0;
  for (const Program& program : ReadCorpus("obfuscations.txt")) {
    if (!program.title.starts_with("passes: ")) continue;
    const CheckReport report = Check(program.code);
    EXPECT_FALSE(report.refused()) << program.title << "\n" << Describe(report);
    ++passes;
  }
  EXPECT_GE(passes, 5);
}

TEST(CorpusTest, LeavesOrdinaryProgramsAlone) {
  const auto programs = ReadCorpus("ordinary.txt");
  for (const Program& program : programs) {
    const CheckReport report = Check(program.code);
    EXPECT_THAT(report.findings, ::testing::IsEmpty()) << program.title << "\n" << Describe(report);
    EXPECT_FALSE(report.complexity.empty());
  }
  EXPECT_GE(programs.size(), 60U);
}

}  // namespace
}  // namespace casemate
