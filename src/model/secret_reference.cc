#include "model/secret_reference.h"

#include <algorithm>

namespace casemate {
namespace {

bool IsScheme(std::string_view text) {
  return !text.empty() && text.size() <= 16 &&
         std::ranges::all_of(text, [](char c) { return c >= 'a' && c <= 'z'; });
}

}  // namespace

Expected<SecretReference> ParseSecretReference(std::string_view text) {
  const std::size_t colon = text.find(':');
  const bool formed = colon != std::string_view::npos && IsScheme(text.substr(0, colon)) &&
                      colon + 1 < text.size() && text.find('\0') == std::string_view::npos;
  if (!formed) {
    return Fail(ErrorCode::kInvalidRequest,
                "a secret is given by where it is, not by its value: write env:NAME, file:PATH or another "
                "reference that \"casemate secrets --help\" lists");
  }
  return SecretReference{text.substr(0, colon), text.substr(colon + 1)};
}

std::string AbsoluteReference(std::string_view text, std::string_view working_dir, std::string_view home) {
  const auto reference = ParseSecretReference(text);
  if (!reference || (reference->scheme != "file" && reference->scheme != "dotenv")) return std::string(text);
  const std::string_view path = reference->place;
  std::string absolute(reference->scheme);
  absolute += ':';
  if (path.starts_with("~/")) {
    absolute += home;
    absolute += path.substr(1);
  } else if (path.starts_with('/') || path.starts_with('~')) {
    // Another user's home is not looked for: the provider says so.
    absolute += path;
  } else {
    absolute += working_dir;
    absolute += '/';
    absolute += path.starts_with("./") ? path.substr(2) : path;
  }
  return absolute;
}

bool BelongsToProcess(std::string_view reference) {
  return reference.starts_with("env:") || reference.starts_with("cmd:");
}

}  // namespace casemate
