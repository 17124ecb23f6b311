#include "base/state_dir.h"

#include <unistd.h>

#include <cstdlib>

#include "base/user.h"

namespace casemate {
namespace {

std::string Variable(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing here sets variables
  return value != nullptr ? value : "";
}

}  // namespace

std::string HomeFolder() {
  const auto user = FindUser(getuid());
  return user && !user->home.empty() ? user->home : "/";
}

std::string FindStateDir(const std::string& wanted) {
  if (!wanted.empty()) return wanted;
  if (const std::string own = Variable("CASEMATE_STATE_DIR"); !own.empty()) return own;
  if (const std::string service = Variable("STATE_DIRECTORY"); !service.empty()) return service;
  if (const std::string xdg = Variable("XDG_STATE_HOME"); xdg.starts_with('/')) return xdg + "/casemate";
  const std::string home = Variable("HOME");
  return (home.empty() ? HomeFolder() : home) + "/.local/state/casemate";
}

}  // namespace casemate
