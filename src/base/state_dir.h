#pragma once

#include <string>

namespace casemate {

// Where this user's engines keep what they learn and record: `wanted`, or when it is empty
// $CASEMATE_STATE_DIR, $STATE_DIRECTORY (systemd.exec(5)) or the XDG Base Directory Specification's folder
// for state.
std::string FindStateDir(const std::string& wanted);

// The user's home folder by the user database; "/" when it has none.
std::string HomeFolder();

}  // namespace casemate
