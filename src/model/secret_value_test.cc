#include "casemate/secret.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>
#include <type_traits>
#include <utility>

namespace casemate {
namespace {

using testing::HasSubstr;

static_assert(!std::is_copy_constructible_v<SecretValue> && !std::is_copy_assignable_v<SecretValue>);

SecretValue Of(std::string_view text) {
  auto value = SecretValue::Copy(text);
  EXPECT_TRUE(value) << value.error().ToString();
  return *std::move(value);
}

// The lines of the mapping that holds `place` in /proc/self/smaps.
std::string MappingOf(const void* place) {
  std::ifstream file("/proc/self/smaps");
  std::string line;
  std::string mapping;
  bool inside = false;
  while (std::getline(file, line)) {
    char* rest = nullptr;
    const unsigned long start = std::strtoul(line.c_str(), &rest, 16);
    if (rest != line.c_str() && *rest == '-') {
      const unsigned long end = std::strtoul(rest + 1, nullptr, 16);
      const auto address = reinterpret_cast<unsigned long>(place);
      inside = address >= start && address < end;
    }
    if (inside) mapping += line + "\n";
  }
  return mapping;
}

TEST(SecretValueTest, PrintsItselfMasked) {
  EXPECT_EQ(Of("sk-abcdefghijklmnopqrstuvwxyz").Masked(), "sk-a****wxyz");
  EXPECT_EQ(Of("12345678").Masked(), "****");
  EXPECT_EQ(Of("").Masked(), "****");
  EXPECT_EQ(Of(std::string("\x00\x01\x02zzzzzzzzzzzz", 15)).Masked(), "****");
  EXPECT_EQ(Of("line one\nline two is\nlast").Masked(), "line****last");
  EXPECT_EQ(Of("ends with a line\n").Masked(), "****");
  std::ostringstream text;
  text << Of("sk-abcdefghijklmnopqrstuvwxyz");
  EXPECT_EQ(text.str(), "sk-a****wxyz");
}

TEST(SecretValueTest, KeepsAnyBytesWithANulBehind) {
  const std::string bytes("a\0b\xff", 4);
  const SecretValue value = Of(bytes);
  EXPECT_EQ(value.Reveal(), bytes);
  EXPECT_EQ(value.Reveal().data()[4], '\0');
}

TEST(SecretValueTest, IsLockedAndNotDumped) {
  const SecretValue value = Of("a value");
  const std::string mapping = MappingOf(value.Reveal().data());
  EXPECT_THAT(mapping, HasSubstr("Locked:                4 kB"));
  const std::string flags = mapping.substr(mapping.find("VmFlags:"));
  EXPECT_THAT(flags, HasSubstr(" lo"));
  EXPECT_THAT(flags, HasSubstr(" dd"));
}

TEST(SecretValueTest, FillsWithinItsRoom) {
  auto value = SecretValue::WithRoom(5);
  ASSERT_TRUE(value);
  EXPECT_TRUE(value->Append("abc"));
  EXPECT_FALSE(value->Append("def"));
  EXPECT_EQ(value->Reveal(), "abc");
  value->Resize(1);
  EXPECT_EQ(value->Reveal(), "a");
  EXPECT_EQ(value->data()[1], '\0');
  EXPECT_EQ(value->data()[2], '\0');
}

TEST(SecretValueTest, MovesItsOnlyCopy) {
  SecretValue first = Of("a value");
  const char* const place = first.Reveal().data();
  SecretValue second = std::move(first);
  EXPECT_EQ(second.Reveal().data(), place);
  second = Of("another");
  EXPECT_EQ(second.Reveal(), "another");
  EXPECT_EQ(MappingOf(place).find("a value"), std::string::npos);
}

TEST(SecretValueTest, RefusesWhatCannotBeLocked) {
  if (geteuid() == 0) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      if (setresuid(65534, 65534, 65534) != 0) _exit(2);
      const rlimit none{0, 0};
      setrlimit(RLIMIT_MEMLOCK, &none);
      const auto value = SecretValue::Copy("a value");
      _exit(!value && value.error().message.find("ulimit -l") != std::string::npos ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
}

TEST(SecretModeTest, HasNames) {
  for (const SecretMode mode : {SecretMode::kVariable, SecretMode::kFile, SecretMode::kBrokered}) {
    EXPECT_EQ(ParseSecretMode(SecretModeName(mode)), mode);
  }
  EXPECT_FALSE(ParseSecretMode("disk"));
  SecretRequest request;
  EXPECT_EQ(request.EffectiveMode(), SecretMode::kVariable);
  request.hosts = {"api.example.com"};
  EXPECT_EQ(request.EffectiveMode(), SecretMode::kBrokered);
  request.mode = SecretMode::kFile;
  EXPECT_EQ(request.EffectiveMode(), SecretMode::kFile);
}

}  // namespace
}  // namespace casemate
