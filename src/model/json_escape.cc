#include "model/json_escape.h"

#include "base/utf8.h"

namespace casemate {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";

constexpr bool NeedsEscape(char c) { return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\'; }

void AppendEscape(std::string& out, char c) {
  out += '\\';
  switch (c) {
    case '"':
    case '\\':
      out += c;
      return;
    case '\b':
      out += 'b';
      return;
    case '\f':
      out += 'f';
      return;
    case '\n':
      out += 'n';
      return;
    case '\r':
      out += 'r';
      return;
    case '\t':
      out += 't';
      return;
    default:
      out += "u00";
      out += kHexDigits[static_cast<unsigned char>(c) >> 4];
      out += kHexDigits[static_cast<unsigned char>(c) & 15];
  }
}

}  // namespace

void AppendJsonEscaped(std::string& out, std::string_view bytes) {
  std::size_t plain = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (!NeedsEscape(bytes[i])) continue;
    out.append(bytes, plain, i - plain);
    AppendEscape(out, bytes[i]);
    plain = i + 1;
  }
  out.append(bytes, plain);
}

void AppendJsonString(std::string& out, std::string_view bytes) {
  out += '"';
  if (IsValidUtf8(bytes)) {
    AppendJsonEscaped(out, bytes);
  } else {
    AppendJsonEscaped(out, ReplaceInvalidUtf8(bytes));
  }
  out += '"';
}

}  // namespace casemate
