#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

namespace casemate {

// What the host's user database says of one user.
struct UserEntry {
  std::string name;
  std::string home;
};

// From /etc/passwd; when the user is not in it, as getent(1) answers, which asks every source of the host
// (nsswitch.conf(5)). getpwuid(3) is no choice: in a program that has its C library linked in, it would load
// the host's own one beside it.
std::optional<UserEntry> FindUser(uid_t uid);

// The user's line in `table`, a text in the format of passwd(5).
std::optional<UserEntry> FindUserIn(std::string_view table, uid_t uid);

}  // namespace casemate
