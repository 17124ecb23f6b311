#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace casemate::audit {

// A record for elsewhere: without the program that its profile asked to keep. Its hash is still the log's,
// and no longer of these bytes when there was one. nullopt when it is no record.
std::optional<std::string> ExportRecord(std::string_view record);

}  // namespace casemate::audit
