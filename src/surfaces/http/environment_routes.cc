#include "surfaces/http/environment_routes.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "environments/builder.h"
#include "environments/manifest.h"
#include "environments/store.h"
#include "model/json.h"
#include "model/json_fields.h"

namespace casemate::http {
namespace {

constexpr std::string_view kHashPrefix = "sha256:";
constexpr std::size_t kDigitsLeast = 8;

Answer ManifestAnswer(int status, const EnvironmentManifest& manifest) {
  Answer answer;
  answer.status = status;
  answer.body = EncodeManifest(manifest) + "\n";
  return answer;
}

void List(const EnvironmentPaths& paths, Reply& reply) {
  std::string all;
  for (const std::string& id : ListBuilt(paths)) {
    const auto manifest = ReadManifest(paths, id);
    if (!manifest) continue;  // removed meanwhile
    if (!all.empty()) all += ',';
    all += EncodeManifest(*manifest);
  }
  Answer answer;
  answer.body = fmt::format("{{\"environments\":[{}]}}\n", all);
  reply.Send(answer);
}

void Show(const EnvironmentPaths& paths, std::string_view digits, Reply& reply) {
  if (digits.starts_with(kHashPrefix)) digits.remove_prefix(kHashPrefix.size());
  if (digits.size() >= kDigitsLeast) {
    const std::vector<std::string> ids = ListBuilt(paths);
    // A folder's name is the beginning of its id.
    const auto found = std::ranges::find_if(
        ids, [&](const auto& name) { return name.starts_with(digits.substr(0, name.size())); });
    const auto manifest = found == ids.end() ? Fail(ErrorCode::kNotFound, "") : ReadManifest(paths, *found);
    if (manifest && manifest->id.starts_with(digits)) return reply.Send(ManifestAnswer(200, *manifest));
  }
  reply.Send(ErrorAnswer(404, "not_found",
                         "there is no such environment: GET /v1/environments lists those that were built"));
}

Expected<std::string> DecodeName(std::string_view body) {
  const auto json = ParseJson(body);
  if (!json) return Fail(ErrorCode::kInvalidRequest, "the request is not JSON: " + json.error().message);
  const JsonTape tape(*json);
  std::string name;
  auto read = JsonField(tape, JsonTape::kRoot, "request")
                  .ForEachMember([&](const std::string& key, const JsonField& value) -> Expected<void> {
                    if (key != "name") {
                      return Fail(ErrorCode::kInvalidRequest,
                                  fmt::format("there is no field \"{}\": known is name", key.substr(0, 100)));
                    }
                    auto text = value.String();
                    if (!text) return std::unexpected(text.error());
                    name = *std::move(text);
                    return {};
                  });
  if (!read) return std::unexpected(read.error());
  if (name.empty() || name.find('\0') != std::string::npos || name.starts_with('-')) {
    return Fail(ErrorCode::kInvalidRequest,
                "\"name\" must be an environment, such as \"requirements:/path/requirements.txt\"");
  }
  return name;
}

void Build(Runs& runs, const std::string& state_dir, const Request& asked, Reply& reply) {
  const auto name = DecodeName(asked.body);
  if (!name) return reply.Send(ErrorAnswer(name.error()));
  if (*name == "host") {
    return reply.Send(
        ErrorAnswer(400, "invalid_request", "the host's environment is there as it is, and is not built"));
  }
  ExecutionRequest would_run;
  would_run.environment = *name;
  const auto place = runs.Enter(asked, would_run);
  if (!place) return SendRefusal(place.error(), reply);
  const auto id = AskForEnvironment(*name, {.state_dir = state_dir, .python = "", .progress = false});
  if (!id) return reply.Send(ErrorAnswer(id.error()));
  const auto manifest = ReadManifest(EnvironmentPaths(state_dir), *id);
  reply.Send(manifest ? ManifestAnswer(201, *manifest) : ErrorAnswer(manifest.error()));
}

}  // namespace

std::vector<Route> EnvironmentRoutes(Runs& runs, const std::string& state_dir) {
  return {
      {"GET", "/v1/environments", Scope::kEnvironments,
       [state_dir](const Request& /*asked*/, Reply& reply) { List(EnvironmentPaths(state_dir), reply); }},
      {"GET", "/v1/environments/{id}", Scope::kEnvironments,
       [state_dir](const Request& asked, Reply& reply) {
         Show(EnvironmentPaths(state_dir), asked.params[0], reply);
       }},
      {"POST", "/v1/environments", Scope::kEnvironments,
       [&runs, state_dir](const Request& asked, Reply& reply) { Build(runs, state_dir, asked, reply); }},
  };
}

}  // namespace casemate::http
