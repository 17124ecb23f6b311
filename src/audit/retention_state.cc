#include "audit/retention_state.h"

#include <fmt/format.h>

#include "base/file.h"
#include "model/json_value.h"
#include "model/json_writer.h"

namespace casemate::audit {
namespace {

constexpr std::size_t kStateBytesMax = 16 * 1024;

std::string StatePath(const std::string& folder) { return folder + "/retention.json"; }

}  // namespace

Expected<RetentionState> ReadRetentionState(const std::string& folder) {
  const std::string path = StatePath(folder);
  const auto text = ReadFile(path, kStateBytesMax);
  if (!text && text.error().code == ErrorCode::kNotFound) return RetentionState();
  if (!text) return std::unexpected(text.error());
  const auto value = ParseBoundedValue(*text, {.bytes_max = kStateBytesMax});
  if (value && value->is_object()) {
    const boost::json::object& object = value->get_object();
    const auto pruned = FindInt(object, "pruned_segments");
    const auto failures = FindInt(object, "failures");
    const auto last = FindInt(object, "last_failure_us");
    const auto* trouble = FindString(object, "trouble");
    if (pruned && failures && last && trouble != nullptr)
      return RetentionState{*pruned, *failures, *last, std::string(*trouble)};
  }
  return Fail(ErrorCode::kInvalidRequest,
              fmt::format("{} is damaged: remove it; it only says how retention went", path));
}

Expected<void> WriteRetentionState(const std::string& folder, const RetentionState& state) {
  JsonWriter writer;
  writer.BeginObject();
  writer.Field("pruned_segments", state.pruned_segments);
  writer.Field("failures", state.failures);
  writer.Field("last_failure_us", state.last_failure_us);
  writer.Field("trouble", state.trouble);
  writer.EndObject();
  return WriteFileAtomically(StatePath(folder), std::move(writer).Take() + "\n", 0600);
}

}  // namespace casemate::audit
