#include "model/json_pointer.h"

namespace casemate {

std::string EscapePointerToken(std::string_view name) {
  std::string token;
  for (const char c : name) {
    if (c == '~') {
      token += "~0";
    } else if (c == '/') {
      token += "~1";
    } else {
      token += c;
    }
  }
  return token;
}

std::string UnescapePointerToken(std::string_view token) {
  std::string name;
  for (std::size_t i = 0; i < token.size(); ++i) {
    const bool escaped =
        token[i] == '~' && i + 1 < token.size() && (token[i + 1] == '0' || token[i + 1] == '1');
    if (!escaped) {
      name += token[i];
    } else {
      name += token[++i] == '0' ? '~' : '/';
    }
  }
  return name;
}

}  // namespace casemate
