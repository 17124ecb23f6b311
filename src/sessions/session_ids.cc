#include "sessions/session_ids.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "base/clock.h"

namespace casemate {
namespace {

std::string MakeId(std::string_view word) {
  std::array<unsigned char, 16> bytes{};
  (void)!getrandom(bytes.data(), bytes.size(), 0);
  std::string id(word);
  for (const unsigned char byte : bytes) id += fmt::format("{:02x}", byte);
  return id;
}

}  // namespace

std::string MakeSessionId() { return MakeId("ses-"); }
std::string MakeCheckpointId() { return MakeId("cp-"); }

bool IsContextName(std::string_view name) {
  constexpr std::size_t kNameMax = 64;
  return name.size() <= kNameMax && std::ranges::all_of(name, [](char letter) {
           return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
                  (letter >= '0' && letter <= '9') || letter == '_' || letter == '-';
         });
}

std::int64_t UnixMs() { return WallClockUs() / 1000; }

}  // namespace casemate
