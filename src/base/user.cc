#include "base/user.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/command.h"
#include "base/file.h"

namespace casemate {
namespace {

// passwd(5): name:password:uid:gid:comment:home:shell.
constexpr std::size_t kFields = 7;
constexpr std::int64_t kPatienceMs = 5000;

std::array<std::string_view, kFields> FieldsOf(std::string_view line) {
  std::array<std::string_view, kFields> fields;
  for (std::string_view& field : fields) {
    const std::size_t end = std::min(line.find(':'), line.size());
    field = line.substr(0, end);
    line.remove_prefix(std::min(end + 1, line.size()));
  }
  return fields;
}

}  // namespace

std::optional<UserEntry> FindUserIn(std::string_view table, uid_t uid) {
  const std::string number = fmt::format("{}", uid);
  while (!table.empty()) {
    const std::size_t end = std::min(table.find('\n'), table.size());
    const auto fields = FieldsOf(table.substr(0, end));
    table.remove_prefix(std::min(end + 1, table.size()));
    if (!fields[0].empty() && fields[2] == number)
      return UserEntry{std::string(fields[0]), std::string(fields[5])};
  }
  return std::nullopt;
}

std::optional<UserEntry> FindUser(uid_t uid) {
  if (auto local = FindUserIn(ReadKernelFile("/etc/passwd"), uid)) return local;
  const auto answer =
      RunCommand({"/usr/bin/getent", "passwd", fmt::format("{}", uid)}, {.timeout_ms = kPatienceMs});
  return answer && answer->exit_code == 0 ? FindUserIn(answer->out, uid) : std::nullopt;
}

}  // namespace casemate
