#include "surfaces/cli/hand_over.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>

#include "base/errno.h"
#include "surfaces/cli/exit_code.h"
#include "surfaces/cli/stream_writer.h"
#include "surfaces/cli/summary.h"

namespace casemate {

int HandOver(const std::string& name, const std::vector<std::string>& words, const CliStreams& streams) {
  std::array<char, PATH_MAX> own{};
  const ssize_t size = ::readlink("/proc/self/exe", own.data(), own.size());
  std::string path(own.data(), static_cast<std::size_t>(size > 0 ? size : 0));
  path.replace(path.rfind('/') + 1, std::string::npos, name);
  std::vector<std::string> copies = words;
  copies[0] = name;
  std::vector<char*> argv;
  for (std::string& word : copies) argv.push_back(word.data());
  argv.push_back(nullptr);
  ::execv(path.c_str(), argv.data());
  const Error error{ErrorCode::kUnavailable,
                    fmt::format("{} cannot be started: install it beside casemate", path),
                    "execv: " + ErrnoName(errno)};
  WritePatiently(streams.err, ErrorLine(error, StyleOf(streams.err, true)), -1);
  return kExitNothing;
}

}  // namespace casemate
