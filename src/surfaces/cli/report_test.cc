#include "surfaces/cli/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/json.h"

namespace casemate {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

DoctorReport Sample() {
  DoctorReport report;
  report.findings = {{"user namespaces", HostFinding::State::kOk, "work", ""},
                     {"cgroup memory", HostFinding::State::kWeak, "not delegated\x1b[2J", "systemctl edit"},
                     {"subuid", HostFinding::State::kMissing, "no range", "usermod --add-subuids"}};
  TierFinding works;
  works.works = true;
  works.report.enforced = {{"wall_time", "deadline"}};
  works.report.not_enforced = {{"memory", "no cgroup", "RLIMIT_AS", "delegate it"}};
  TierFinding missing;
  missing.tier = Tier::kMicrovm;
  missing.why_not = "no /dev/kvm";
  missing.remedy = "modprobe kvm";
  report.tiers = {works, missing};
  report.python = "/usr/bin/python3";
  report.python_version = "3.11.2";
  report.python_prefix = "/usr";
  report.state_dir = "/var/lib/casemate";
  return report;
}

TEST(ReportTest, DoctorShowsEachFindingWithItsRemedy) {
  const std::string text = DoctorText(Sample(), {});
  for (const char* part :
       {"✓ user namespaces", "! cgroup memory", "✗ subuid", "systemctl edit", "usermod --add-subuids",
        "holds 1 of 2 guarantees", "container: memory", "RLIMIT_AS", "no /dev/kvm", "modprobe kvm",
        "/usr/bin/python3 (3.11.2, in /usr)", "/var/lib/casemate", "does not hold all"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
  EXPECT_THAT(DoctorText(Sample(), {.colour = true}), HasSubstr("\x1b[31m✗"));
}

TEST(ReportTest, DoctorAlignsItsColumns) {
  const std::string text = DoctorText(Sample(), {});
  EXPECT_THAT(text, HasSubstr("user namespaces  work\n"));
  EXPECT_THAT(text, HasSubstr("subuid           no range\n"));
}

TEST(ReportTest, DoctorJsonIsJson) {
  DoctorReport report = Sample();
  report.healthy = true;
  const std::string text = DoctorJson(report);
  ASSERT_TRUE(ParseJson(text)) << text;
  EXPECT_THAT(text, HasSubstr(R"("healthy":true)"));
  EXPECT_THAT(text, HasSubstr(R"("mechanism":"subuid","state":"missing")"));
  EXPECT_THAT(text, HasSubstr(R"("tier":"microvm","works":false)"));
}

TEST(ReportTest, Garbage) {
  EXPECT_EQ(GarbageText({}, {}), "nothing was left behind\n");
  const GarbageReport report{{"/sys/fs/cgroup/a"}, {"/b\n: busy"}};
  EXPECT_EQ(GarbageText(report, {}), "removed /sys/fs/cgroup/a\nkept    /b\\n: busy\n");
  EXPECT_EQ(GarbageJson(report), "{\"removed\":[\"/sys/fs/cgroup/a\"],\"kept\":[\"/b\\n: busy\"]}\n");
}

}  // namespace
}  // namespace casemate
