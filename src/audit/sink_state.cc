#include "audit/sink_state.h"

#include <dirent.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>

#include "base/file.h"
#include "model/json_value.h"
#include "model/json_writer.h"

namespace casemate::audit {
namespace {

constexpr std::size_t kStateBytesMax = 16 * 1024;
constexpr std::string_view kSuffix = ".json";

struct Count {
  std::string_view name;
  std::int64_t SinkState::*member;
};
constexpr std::array kCounts = {
    Count{"segment", &SinkState::segment},   Count{"offset", &SinkState::offset},
    Count{"seq", &SinkState::seq},           Count{"sent", &SinkState::sent},
    Count{"lost", &SinkState::lost},         Count{"shortened", &SinkState::shortened},
    Count{"failures", &SinkState::failures}, Count{"last_sent_us", &SinkState::last_sent_us},
};

}  // namespace

std::string SinksFolder(const std::string& folder) { return folder + "/sinks"; }

std::string SinkStatePath(const std::string& folder, std::string_view name) {
  return fmt::format("{}/{}{}", SinksFolder(folder), name, kSuffix);
}

std::string EncodeSinkState(const SinkState& state) {
  JsonWriter writer;
  writer.BeginObject();
  writer.Field("target", state.target);
  for (const Count& count : kCounts) writer.Field(count.name, state.*count.member);
  writer.Field("trouble", state.trouble);
  writer.EndObject();
  return std::move(writer).Take() + "\n";
}

std::optional<SinkState> DecodeSinkState(std::string_view text) {
  const auto value = ParseBoundedValue(text, {.bytes_max = kStateBytesMax});
  if (!value || !value->is_object()) return std::nullopt;
  const boost::json::object& object = value->get_object();
  SinkState state;
  const auto* target = FindString(object, "target");
  const auto* trouble = FindString(object, "trouble");
  if (target == nullptr || trouble == nullptr) return std::nullopt;
  state.target = std::string_view(*target);
  state.trouble = std::string_view(*trouble);
  for (const Count& count : kCounts) {
    const auto number = FindInt(object, count.name);
    if (!number || *number < 0) return std::nullopt;
    state.*count.member = *number;
  }
  return state;
}

Expected<SinkState> ReadSinkState(const std::string& folder, std::string_view name) {
  const std::string path = SinkStatePath(folder, name);
  const auto text = ReadFile(path, kStateBytesMax);
  if (!text && text.error().code == ErrorCode::kNotFound) return SinkState();
  if (!text) return std::unexpected(text.error());
  auto state = DecodeSinkState(*text);
  if (state) return *std::move(state);
  return Fail(
      ErrorCode::kInvalidRequest,
      fmt::format("{} is damaged, and nothing else says how far the sink is: remove it to send all again",
                  path));
}

std::vector<std::pair<std::string, SinkState>> ListSinks(const std::string& folder) {
  std::vector<std::pair<std::string, SinkState>> all;
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(SinksFolder(folder).c_str()), ::closedir);
  if (!dir) return all;
  while (const dirent* entry = ::readdir(dir.get())) {  // NOLINT(concurrency-mt-unsafe): the stream is ours
    std::string_view name = entry->d_name;
    if (!name.ends_with(kSuffix) || name.starts_with('.')) continue;
    name.remove_suffix(kSuffix.size());
    auto state = ReadSinkState(folder, name);
    if (state && !state->target.empty()) all.emplace_back(name, *std::move(state));
  }
  std::ranges::sort(all, {}, &std::pair<std::string, SinkState>::first);
  return all;
}

}  // namespace casemate::audit
