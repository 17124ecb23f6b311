#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <toml++/toml.h>

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/command.h"
#include "base/file.h"
#include "confine/seccomp_evaluate.h"
#include "confine/seccomp_tables.h"

// The profile against the program compiled from it, and the compiler against faulty profiles.

namespace casemate {
namespace {

constexpr char kProfile[] = "profiles/seccomp/container.toml";
constexpr char kRefusals[] = "profiles/seccomp/container_refusals.toml";

// A second reading of the profile, as plain as it can be: what it says about one call.
class Model {
 public:
  Model(const toml::table& root, const SeccompTables& tables) : root_(root) {
    for (std::size_t nr = 0; nr < tables.name_offsets.size(); ++nr) {
      const std::string name = tables.names + tables.name_offsets[nr];
      if (!name.empty()) numbers_[static_cast<int>(nr)] = name;
    }
  }

  const std::map<int, std::string>& numbers() const { return numbers_; }

  std::uint32_t Says(const seccomp_data& data) const {
    const auto named = numbers_.find(data.nr);
    if (named == numbers_.end()) return SECCOMP_RET_USER_NOTIF;
    for (const auto& [group, entries] : *root_["allow"].as_table()) {
      if (entries.as_table()->contains(named->second)) return SECCOMP_RET_ALLOW;
    }
    for (const toml::node& node : *root_["rule"].as_array()) {
      const toml::table& rule = *node.as_table();
      if (rule["syscall"].value<std::string>() != named->second || !Holds(rule, data)) continue;
      if (rule["action"].value<std::string>() == "allow") return SECCOMP_RET_ALLOW;
      return SECCOMP_RET_ERRNO;
    }
    return SECCOMP_RET_USER_NOTIF;
  }

  // Values of an argument that a rule names, to try near them.
  std::vector<std::uint64_t> Interesting() const {
    std::vector<std::uint64_t> values = {0, 1, 2, 3, 16, 28, 64, 128, 0xffffffff, 0x80000000};
    for (const toml::node& node : *root_["rule"].as_array()) {
      const toml::array* when = (*node.as_table())["when"].as_array();
      if (when == nullptr) continue;
      for (const toml::node& condition : *when) {
        const toml::table* names = (*condition.as_table())["equals"].as_table();
        if (names == nullptr) continue;
        for (const auto& [name, value] : *names) {
          values.push_back(static_cast<std::uint64_t>(value.value<std::int64_t>().value_or(0)));
        }
      }
    }
    return values;
  }

 private:
  static bool Holds(const toml::table& rule, const seccomp_data& data) {
    const toml::array* when = rule["when"].as_array();
    if (when == nullptr) return true;
    for (const toml::node& node : *when) {
      const toml::table& condition = *node.as_table();
      const auto mask = static_cast<std::uint64_t>(condition["mask"].value_or(std::int64_t{0xffffffff}));
      const auto argument = condition["argument"].value_or(std::int64_t{0});
      if (!Matches(condition, static_cast<std::int64_t>(data.args[argument] & mask))) return false;
    }
    return true;
  }

  static bool Matches(const toml::table& condition, std::int64_t value) {
    if (condition["equals"].value<std::int64_t>() == value) return true;
    if (const toml::table* names = condition["equals"].as_table()) {
      for (const auto& [name, node] : *names) {
        if (node.value<std::int64_t>() == value) return true;
      }
    }
    if (const toml::array* ranges = condition["ranges"].as_array()) {
      for (const toml::node& range : *ranges) {
        const toml::array& ends = *range.as_array();
        if (ends[0].value_or(std::int64_t{1}) <= value && value <= ends[1].value_or(std::int64_t{0}))
          return true;
      }
    }
    return false;
  }

  const toml::table& root_;
  std::map<int, std::string> numbers_;
};

TEST(SeccompProfileTest, TheProgramDoesWhatTheProfileSays) {
  const toml::table root = toml::parse_file(kProfile);
  std::mt19937_64 random(20261121);  // NOLINT(bugprone-random-generator-seed): the same calls each time
  for (const SeccompTables* tables : {&ContainerSeccompX8664(), &ContainerSeccompAarch64()}) {
    const Model model(root, *tables);
    const std::vector<std::uint64_t> values = model.Interesting();
    for (const auto& [nr, name] : model.numbers()) {
      for (int attempt = 0; attempt < 400; ++attempt) {
        seccomp_data data = {};
        data.nr = nr;
        data.arch = tables->audit_architecture;
        for (auto& argument : data.args) {
          argument = values[random() % values.size()];
          if (random() % 4 == 0) argument ^= 1ULL << (random() % 64);
          if (random() % 16 == 0) argument = random();
        }
        const auto action = EvaluateSeccomp(tables->program, data);
        ASSERT_TRUE(action.has_value()) << action.error();
        ASSERT_EQ(*action & SECCOMP_RET_ACTION_FULL, model.Says(data))
            << name << std::hex << " " << data.args[0] << " " << data.args[1] << " " << data.args[2];
      }
    }
  }
}

TEST(SeccompProfileTest, EveryEntryHasAReason) {
  const toml::table root = toml::parse_file(kProfile);
  int entries = 0;
  for (const auto& [group, names] : *root["allow"].as_table()) {
    for (const auto& [name, node] : *names.as_table()) {
      const toml::table* table = node.as_table();
      const std::string reason = table != nullptr ? (*table)["reason"].value_or("") : node.value_or("");
      EXPECT_GE(reason.size(), 5U) << name.str();
      ++entries;
    }
  }
  for (const toml::node& rule : *root["rule"].as_array()) {
    EXPECT_GE(std::string((*rule.as_table())["reason"].value_or("")).size(), 10U) << rule.source().begin.line;
    ++entries;
  }
  const toml::table refusals = toml::parse_file(kRefusals);
  for (const auto& [name, family] : *refusals["denied"].as_table()) {
    EXPECT_GE(std::string((*family.as_table())["reason"].value_or("")).size(), 10U) << name.str();
    EXPECT_GE(std::string((*family.as_table())["remedy"].value_or("")).size(), 10U) << name.str();
  }
  EXPECT_GT(entries, 250);
}

struct FaultyProfile {
  std::string allowed;
  std::string refusals;
};

// A profile that is right, with one place for a fault in each file.
FaultyProfile Faulty(const std::string& allowed, const std::string& refusals = "") {
  return {
      "[profile]\nname = \"t\"\narchitectures = [\"x86_64\", \"aarch64\"]\n"
      "bad_architecture = \"kill_process\"\n[allow.a]\n" +
          allowed,
      "[unlisted]\nreason = \"r\"\nremedy = \"m\"\n[newer]\n[denied.d]\nreason = \"r\"\nremedy = \"m\"\n"
      "syscalls = [\"mount\"]\n" +
          refusals};
}

CommandResult CompileProfile(const FaultyProfile& profile) {
  std::string folder = testing::TempDir() + "seccomp_profile_test.XXXXXX";
  if (mkdtemp(folder.data()) == nullptr) return {.exit_code = -1, .out = {}, .err = "mkdtemp"};
  const std::string allowed = folder + "/allowed.toml";
  const std::string refusals = folder + "/refusals.toml";
  if (!WriteFileAtomically(allowed, profile.allowed, 0600) ||
      !WriteFileAtomically(refusals, profile.refusals, 0600)) {
    return {.exit_code = -1, .out = {}, .err = "write"};
  }
  const auto result = RunCommand({CASEMATE_SECCOMP_COMPILER, allowed, refusals, folder});
  (void)RunCommand({"/bin/rm", "-r", folder});
  return result.value_or(CommandResult{.exit_code = -1, .out = {}, .err = "run"});
}

TEST(SeccompCompilerTest, AcceptsASoundProfile) {
  const CommandResult result = CompileProfile(Faulty("read = \"data\""));
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.err, "");
}

// `narrowed` and `refusals` on top of a base that allows read and close.
CommandResult CompileNarrowed(const std::string& narrowed, const std::string& refusals) {
  std::string folder = testing::TempDir() + "seccomp_profile_test.XXXXXX";
  if (mkdtemp(folder.data()) == nullptr) return {.exit_code = -1, .out = {}, .err = "mkdtemp"};
  const FaultyProfile base = Faulty("read = \"data\"\nclose = \"data\"");
  const std::pair<const char*, std::string> files[] = {
      {"base.toml", base.allowed},
      {"base_refusals.toml", base.refusals},
      {"narrow.toml",
       "[profile]\nname = \"n\"\nbase = \"base.toml\"\nbase_refusals = \"base_refusals.toml\"\n" + narrowed},
      {"refusals.toml", "[denied.r]\nreason = \"r\"\nremedy = \"m\"\nsyscalls = [\"read\"]\n" + refusals}};
  for (const auto& [name, text] : files) {
    if (!WriteFileAtomically(folder + "/" + name, text, 0600))
      return {.exit_code = -1, .out = {}, .err = "write"};
  }
  const auto result =
      RunCommand({CASEMATE_SECCOMP_COMPILER, folder + "/narrow.toml", folder + "/refusals.toml", folder});
  (void)RunCommand({"/bin/rm", "-r", folder});
  return result.value_or(CommandResult{.exit_code = -1, .out = {}, .err = "run"});
}

TEST(SeccompCompilerTest, NarrowsAndNeverWidens) {
  const std::string when = "action = \"allow\"\nreason = \"r\"\nwhen = [{ argument = 0, equals = 0 }]\n";
  EXPECT_EQ(CompileNarrowed("", "").err, "");
  EXPECT_EQ(CompileNarrowed("[[rule]]\nsyscall = \"read\"\n" + when, "").err, "");
  const struct {
    std::string narrowed;
    std::string refusals;
    std::string fault;
  } cases[] = {
      {"[[rule]]\nsyscall = \"ioctl\"\n" + when, "",
       "`ioctl` is not denied by this profile; a rule only excepts"},
      {"[allow.a]\nioctl = \"data\"\n", "", "the key `allow` means nothing here"},
      {"", "[denied.s]\nreason = \"r\"\nremedy = \"m\"\nsyscalls = [\"ioctl\"]\n",
       "the base does not allow `ioctl`; remove it here"},
  };
  for (const auto& [narrowed, refusals, fault] : cases) {
    const CommandResult result = CompileNarrowed(narrowed, refusals);
    EXPECT_EQ(result.exit_code, 1) << fault;
    EXPECT_THAT(result.err, testing::HasSubstr(fault));
  }
}

TEST(SeccompCompilerTest, NamesTheFaultAndItsLine) {
  const std::string rule = "[[rule]]\nsyscall = \"ioctl\"\naction = \"allow\"\nreason = \"r\"\n";
  const struct {
    FaultyProfile profile;
    std::string fault;
  } cases[] = {
      {Faulty("raed = \"data\""), "allowed.toml:6: libseccomp does not know a system call `raed`"},
      {Faulty("read = \"\""), "allowed.toml:6: `read` has no reason"},
      {Faulty("read = { arch = [\"x86_64\"] }"), "`reason` is missing"},
      {Faulty("open = \"data\""),
       "allowed.toml:6: `open` does not exist on aarch64; correct the entry's `arch`"},
      {Faulty("read = { arch = [\"x86_64\"], reason = \"r\" }"), "`read` exists on aarch64"},
      {Faulty("read = { arch = [\"mips\"], reason = \"r\" }"), "`mips` is not in profile.architectures"},
      {Faulty("read = \"a\"\n[allow.b]\nread = \"b\""), "allowed.toml:8: `read` is decided twice (also at "},
      {Faulty("mount = \"a\""), "`mount` is in [denied.d] and decided at "},
      {Faulty("read = \"a\"\nread = \"b\""), "allowed.toml:7:"},
      {Faulty("ioctl = \"a\"\n" + rule + "when = [{ argument = 1, equals = 1 }]"),
       "`ioctl` is decided twice"},
      {Faulty(rule), "a rule that allows needs `when`"},
      {Faulty(rule + "when = [{ argument = 6, equals = 1 }]"), "`argument` must be a number from 0 to 5"},
      {Faulty(rule + "when = [{ argument = 1, mask = 1, equals = 2 }]"), "so it never matches"},
      {Faulty(rule + "when = [{ argument = 1 }]"), "`equals` or `ranges` is missing"},
      {Faulty(rule + "when = [{ argument = 1, ranges = [[2, 1]] }]"), "a range is [first, last]"},
      {Faulty(rule + "when = [{ argument = 1, equal = 1, equals = 1 }]"),
       "the key `equal` means nothing here"},
      {Faulty(rule + "errno = \"EPERM\"\nwhen = [{ argument = 1, equals = 1 }]"),
       "`errno` belongs to the action"},
      {Faulty("", "[denied.e]\nreason = \"r\"\nsyscalls = [\"bpf\"]"), "`remedy` is missing"},
      {Faulty("[[rule"), "allowed.toml:6:"},
      {Faulty("", "[[rule]]\nsyscall = \"bpf\""), "the key `rule` means nothing here"},
  };
  for (const auto& [profile, fault] : cases) {
    const CommandResult result = CompileProfile(profile);
    EXPECT_EQ(result.exit_code, 1) << fault;
    EXPECT_THAT(result.err, testing::HasSubstr(fault));
  }
}

}  // namespace
}  // namespace casemate
