#pragma once

#include <string>
#include <string_view>

namespace casemate {

// Appends what `escape` ("\n", "\x65", "\u0065", "\145") stands for. False for one that only Python's own
// table of names can tell (\N{...}).
bool AppendEscape(std::string_view escape, std::string& text);

}  // namespace casemate
