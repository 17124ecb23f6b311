#include "base/secret_pages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>

namespace casemate {
namespace {

using testing::HasSubstr;

// What the kernel says of the mapping that `place` is in (proc_pid_smaps(5)).
std::string FlagsOf(const void* place) {
  const auto address = reinterpret_cast<std::uintptr_t>(place);
  std::ifstream smaps("/proc/self/smaps");
  std::string line;
  bool inside = false;
  while (std::getline(smaps, line)) {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    char dash = '\0';
    std::istringstream words(line);
    if (words >> std::hex >> begin >> dash >> end && dash == '-') inside = begin <= address && address < end;
    if (inside && line.starts_with("VmFlags:")) return line + " ";
  }
  return {};
}

bool IsZero(const char* pages, std::size_t bytes) {
  return std::all_of(pages, pages + bytes, [](char c) { return c == 0; });
}

TEST(SecretPagesTest, AreLockedNotDumpedAndZero) {
  for (const std::size_t bytes : {kSecretPage, 5 * kSecretPage}) {
    for (int round = 0; round < 3; ++round) {
      auto pages = TakeSecretPages(bytes);
      ASSERT_TRUE(pages) << pages.error().message;
      EXPECT_TRUE(IsZero(*pages, bytes));
      EXPECT_THAT(FlagsOf(*pages), AllOf(HasSubstr(" lo "), HasSubstr(" dd ")));
      std::memset(*pages, 'x', bytes);
      GiveBackSecretPages(*pages, bytes);
    }
  }
}

TEST(SecretPagesTest, ManyAtOnceAreDistinct) {
  std::vector<char*> all;
  for (int i = 0; i < 12; ++i) {
    auto page = TakeSecretPages(kSecretPage);
    ASSERT_TRUE(page);
    EXPECT_TRUE(IsZero(*page, kSecretPage));
    std::memset(*page, 'a' + i, kSecretPage);
    all.push_back(*page);
  }
  for (int i = 0; i < 12; ++i) EXPECT_EQ(all[static_cast<std::size_t>(i)][kSecretPage - 1], 'a' + i);
  for (char* page : all) GiveBackSecretPages(page, kSecretPage);
}

TEST(SecretArenaTest, GrowsInSuchPages) {
  SecretArena arena(kSecretPage);
  std::pmr::vector<std::uint64_t> numbers(&arena);
  for (std::uint64_t i = 0; i < 10'000; ++i) numbers.push_back(i);
  for (std::uint64_t i = 0; i < 10'000; ++i) ASSERT_EQ(numbers[i], i);
  EXPECT_THAT(FlagsOf(numbers.data()), HasSubstr(" dd "));
  void* const odd = arena.allocate(3, 1);
  void* const aligned = arena.allocate(64, 64);
  EXPECT_NE(odd, nullptr);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(aligned) % 64, 0U);
}

}  // namespace
}  // namespace casemate
