// link: policy model base
// A hostile pattern and path, one line each, against a second, naive matcher for patterns of the plain
// characters "?" and "*".
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "policy/glob.h"

namespace {

bool Naive(std::string_view pattern, std::string_view path) {
  if (pattern.empty()) return path.empty();
  if (pattern[0] == '*') {
    const auto rest = pattern.substr(1);
    return Naive(rest, path) || (!path.empty() && path[0] != '/' && Naive(pattern, path.substr(1)));
  }
  if (path.empty() || (pattern[0] == '?' ? path[0] == '/' : path[0] != pattern[0])) return false;
  return Naive(pattern.substr(1), path.substr(1));
}

bool IsPlain(std::string_view text) {
  for (const char c : text) {
    if (c < ' ' || c > '~' || c == '[' || c == '\\') return false;
  }
  return !text.contains("**") && !text.ends_with('/') && !text.starts_with("./");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto line = text.find('\n');
  const std::string_view pattern = text.substr(0, line);
  const std::string_view path = line == std::string_view::npos ? "" : text.substr(line + 1);
  const auto glob = casemate::Glob::Parse(pattern);
  if (!glob) {
    if (glob.error().message.empty()) std::abort();
    return 0;
  }
  const bool matches = glob->Matches(path);
  if (size <= 40 && IsPlain(pattern) && IsPlain(path) && matches != Naive(pattern, path)) std::abort();
  return 0;
}
