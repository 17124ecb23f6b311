#include "isolation/conformance/conformance.h"

#include <gtest/gtest.h>

#include <span>

#include "isolation/conformance/suite.h"

namespace casemate::conformance {
namespace {

class Bound : public Suite {
 public:
  Bound(const Subject& subject, const Case& test) : Suite(subject), subject_(subject), test_(test) {}

 private:
  void TestBody() override {
    if (const std::string why = subject_.unavailable(); !why.empty()) GTEST_SKIP() << why;
    // For docs/tiers.md (tools/tiers_page).
    if (test_.guarantee) RecordProperty("guarantee", std::string(PolicyClauseName(*test_.guarantee)));
    const std::string unclaimed = test_.guarantee && !test_.always ? Unclaimed(*test_.guarantee) : "";
    if (!unclaimed.empty()) GTEST_SKIP() << unclaimed;
    test_.body(*this);
  }

  Subject subject_;
  const Case& test_;
};

}  // namespace

void Register(const Subject& subject) {
  const std::string name = "Conformance/" + subject.name;
  for (const std::span<const Case> cases : {GeneralCases(), LimitCases()}) {
    for (const Case& test : cases) {
      testing::RegisterTest(name.c_str(), test.name, nullptr, nullptr, __FILE__, __LINE__,
                            [subject, &test]() -> testing::Test* { return new Bound(subject, test); });
    }
  }
}

}  // namespace casemate::conformance
