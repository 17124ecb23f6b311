#include "model/request_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include "model/base64.h"
#include "model/json.h"
#include "model/json_fields.h"
#include "model/trace_parent.h"

namespace casemate {
namespace {

using Done = Expected<void>;

std::unexpected<Error> Refuse(std::string message) {
  return Fail(ErrorCode::kInvalidRequest, std::move(message));
}

// Puts what was read into `place`, or gives the error on.
template <typename T, typename Place>
Done Put(Expected<T> value, Place& place) {
  if (!value) return std::unexpected(std::move(value.error()));
  place = *std::move(value);
  return {};
}

template <std::string ExecutionRequest::*kMember>
Done ReadText(const JsonField& field, ExecutionRequest& request) {
  return Put(field.String(), request.*kMember);
}

template <std::vector<std::string> ExecutionRequest::*kMember>
Done ReadTexts(const JsonField& field, ExecutionRequest& request) {
  return Put(field.Strings(), request.*kMember);
}

template <std::optional<std::string> ExecutionRequest::*kMember>
Done ReadJson(const JsonField& field, ExecutionRequest& request) {
  request.*kMember = std::string(field.text());
  return {};
}

template <bool ExecutionRequest::*kMember>
Done ReadBool(const JsonField& field, ExecutionRequest& request) {
  return Put(field.Bool(), request.*kMember);
}

Expected<std::string> ReadBase64(const JsonField& field) {
  auto text = field.String();
  if (!text) return text;
  auto bytes = DecodeBase64(*text);
  if (!bytes) {
    return Refuse(fmt::format("\"{}\" must be base64 with padding and without line breaks", field.name()));
  }
  return *std::move(bytes);
}

// The engine does not know the caller's working folder, and the kernel ends a path at a NUL.
Done ReadPath(const JsonField& field, std::string& place) {
  auto path = field.String();
  if (!path) return std::unexpected(std::move(path.error()));
  if (!path->starts_with('/') || path->find('\0') != std::string::npos) {
    return Refuse(fmt::format("\"{}\" must be an absolute path, without NUL", field.name()));
  }
  place = *std::move(path);
  return {};
}

Done UnknownField(const JsonField& field, std::string_view known) {
  return Refuse(fmt::format("there is no field \"{}\"; known are {}", field.name(), known));
}

Done ReadCode(const JsonField& field, ExecutionRequest& request) { return Put(field.String(), request.code); }

Done ReadStdinBase64(const JsonField& field, ExecutionRequest& request) {
  return Put(ReadBase64(field), request.stdin_bytes);
}

Done ReadFiles(const JsonField& field, ExecutionRequest& request) {
  return field.ForEachMember([&request](const std::string& name, const JsonField& content) -> Done {
    InputFile& file = request.files.emplace_back();
    file.name = name;
    if (content.kind() == JsonTape::Kind::kString) return Put(content.String(), file.bytes);
    if (content.kind() != JsonTape::Kind::kObject) return content.Refuse("a text or {\"base64\": ...}");
    bool given = false;
    auto done = content.ForEachMember([&](const std::string& key, const JsonField& value) -> Done {
      if (key != "base64") return UnknownField(value, "base64");
      given = true;
      return Put(ReadBase64(value), file.bytes);
    });
    if (done && !given) return Refuse(fmt::format("\"{}\" needs \"base64\"", content.name()));
    return done;
  });
}

Done ReadWorkspace(const JsonField& field, ExecutionRequest& request) {
  Workspace workspace;
  auto done = field.ForEachMember([&workspace](const std::string& key, const JsonField& value) -> Done {
    if (key == "path") return ReadPath(value, workspace.host_path);
    if (key != "mode") return UnknownField(value, "path and mode");
    const auto text = value.String();
    if (!text) return std::unexpected(text.error());
    const auto mode = ParseWorkspaceMode(*text);
    if (!mode) return Refuse(fmt::format("\"{}\" must be \"ro\", \"copy\" or \"rw\"", value.name()));
    workspace.mode = *mode;
    return {};
  });
  if (!done) return done;
  if (workspace.host_path.empty()) return Refuse("\"workspace\" needs \"path\"");
  request.workspace = std::move(workspace);
  return {};
}

Done ReadMount(const JsonField& field, HostMount& mount) {
  auto done = field.ForEachMember([&mount](const std::string& key, const JsonField& value) -> Done {
    if (key == "path") return ReadPath(value, mount.host_path);
    if (key == "inside") return ReadPath(value, mount.inside_path);
    if (key != "mode") return UnknownField(value, "path, inside and mode");
    const auto mode = value.String();
    if (!mode) return std::unexpected(mode.error());
    if (*mode != "ro" && *mode != "rw") {
      return Refuse(fmt::format("\"{}\" must be \"ro\" or \"rw\"", value.name()));
    }
    mount.writable = *mode == "rw";
    return {};
  });
  if (!done) return done;
  if (mount.host_path.empty() || mount.inside_path.empty()) {
    return Refuse(fmt::format("\"{}\" needs \"path\" and \"inside\"", field.name()));
  }
  return {};
}

Done ReadMounts(const JsonField& field, ExecutionRequest& request) {
  return field.ForEachElement([&request](const JsonField& element) -> Done {
    return ReadMount(element, request.mounts.emplace_back());
  });
}

Done ReadEnv(const JsonField& field, ExecutionRequest& request) {
  return Put(field.StringMap(), request.env);
}

Done ReadReferences(const JsonField& field, SecretRequest& secret) {
  if (field.kind() == JsonTape::Kind::kString) return Put(field.String(), secret.references.emplace_back());
  return Put(field.Strings(), secret.references);
}

Done ReadSecret(const JsonField& field, SecretRequest& secret) {
  if (field.kind() != JsonTape::Kind::kObject) return ReadReferences(field, secret);
  return field.ForEachMember([&secret](const std::string& key, const JsonField& value) -> Done {
    if (key == "from") return ReadReferences(value, secret);
    if (key == "hosts") return Put(value.Strings(), secret.hosts);
    if (key != "as") return UnknownField(value, "from, as and hosts");
    const auto name = value.String();
    if (!name) return std::unexpected(name.error());
    secret.mode = ParseSecretMode(*name);
    if (secret.mode) return {};
    return Refuse(fmt::format("\"{}\" must be \"env\", \"file\" or \"brokered\"", value.name()));
  });
}

Done ReadSecrets(const JsonField& field, ExecutionRequest& request) {
  return field.ForEachMember([&request](const std::string& name, const JsonField& value) -> Done {
    SecretRequest& secret = request.secrets.emplace_back();
    secret.name = name;
    return ReadSecret(value, secret);
  });
}

Done ReadLimits(const JsonField& field, ExecutionRequest& request) {
  return field.ForEachMember([&request](const std::string& name, const JsonField& value) -> Done {
    return Put(value.Number(), request.limits[name]);
  });
}

Done ReadRule(const JsonField& field, NetworkRule& rule) {
  if (field.kind() == JsonTape::Kind::kString) return Put(field.String(), rule.destination);
  auto done = field.ForEachMember([&rule](const std::string& key, const JsonField& value) -> Done {
    if (key == "to") return Put(value.String(), rule.destination);
    if (key == "methods") return Put(value.Strings(), rule.methods);
    if (key == "paths") return Put(value.Strings(), rule.paths);
    return UnknownField(value, "to, methods and paths");
  });
  if (done && rule.destination.empty()) return Refuse(fmt::format("\"{}\" needs \"to\"", field.name()));
  return done;
}

Done ReadNetworkLimits(const JsonField& field, NetworkLimits& limits) {
  return field.ForEachMember([&limits](const std::string& key, const JsonField& value) -> Done {
    if (key == "connections") return Put(value.Int(), limits.connections_max);
    if (key == "bytes") return Put(value.Int(), limits.bytes_max);
    if (key == "bytes_per_second") return Put(value.Int(), limits.bytes_per_second);
    return UnknownField(value, "connections, bytes and bytes_per_second");
  });
}

Done ReadNetwork(const JsonField& field, ExecutionRequest& request) {
  if (field.kind() == JsonTape::Kind::kString) {
    auto text = field.String();
    if (!text) return std::unexpected(text.error());
    return Put(ParseNetworkText(*text), request.network);
  }
  NetworkPolicy& network = request.network.emplace();
  return field.ForEachMember([&network](const std::string& key, const JsonField& value) -> Done {
    if (key == "limits") return ReadNetworkLimits(value, network.limits);
    if (key == "allow") {
      return value.ForEachElement(
          [&network](const JsonField& rule) { return ReadRule(rule, network.allow.emplace_back()); });
    }
    if (key != "hosts") return UnknownField(value, "allow, hosts and limits");
    return value.ForEachMember([&network](const std::string& name, const JsonField& addresses) {
      return Put(addresses.Strings(), network.hosts[name]);
    });
  });
}

Done ReadTier(const JsonField& field, bool allow_auto, std::optional<Tier>& place) {
  const auto name = field.String();
  if (!name) return std::unexpected(name.error());
  if (allow_auto && *name == "auto") return {};
  place = ParseTier(*name);
  if (place) return {};
  return Refuse(
      fmt::format("\"{}\" must be {}\"process\", \"container\", \"docker\", \"gvisor\" or \"microvm\"",
                  field.name(), allow_auto ? "\"auto\", " : ""));
}

Done ReadIsolation(const JsonField& field, ExecutionRequest& request) {
  return ReadTier(field, true, request.isolation);
}

Done ReadRequire(const JsonField& field, ExecutionRequest& request) {
  return ReadTier(field, false, request.require);
}

Done ReadChecks(const JsonField& field, ExecutionRequest& request) {
  const auto name = field.String();
  if (!name) return std::unexpected(name.error());
  request.checks = ParseChecksMode(*name);
  if (request.checks) return {};
  return Refuse("\"checks\" must be \"open\", \"checked\" or \"restricted\"");
}

Done ReadComplexity(const JsonField& field, ExecutionRequest& request) {
  return field.ForEachMember([&request](const std::string& name, const JsonField& value) -> Done {
    return Put(value.Int(), request.complexity[name]);
  });
}

Done ReadTraceParent(const JsonField& field, ExecutionRequest& request) {
  auto text = field.String();
  if (!text) return std::unexpected(text.error());
  if (!IsTraceParent(*text))
    return Refuse("\"trace_parent\" must be a W3C trace context: 00-<32 hex digits>-<16>-<2>");
  request.origin.trace_parent = *std::move(text);
  return {};
}

Done ReadTraceState(const JsonField& field, ExecutionRequest& request) {
  auto text = field.String();
  if (!text) return std::unexpected(text.error());
  if (!IsTraceState(*text))
    return Refuse("\"trace_state\" must be a W3C trace state: KEY=VALUE,... of at most 512 characters");
  request.origin.trace_state = *std::move(text);
  return {};
}

struct FieldReader {
  std::string_view name;
  Done (*read)(const JsonField&, ExecutionRequest&);
};
using Request = ExecutionRequest;
constexpr std::array kFields = {
    FieldReader{"code", ReadCode},
    FieldReader{"command", ReadTexts<&Request::command>},
    FieldReader{"code_name", ReadText<&Request::code_name>},
    FieldReader{"language", ReadText<&Request::language>},
    FieldReader{"args", ReadTexts<&Request::args>},
    FieldReader{"environment", ReadText<&Request::environment>},
    FieldReader{"input", ReadJson<&Request::input_json>},
    FieldReader{"input_schema", ReadJson<&Request::input_schema>},
    FieldReader{"result_schema", ReadJson<&Request::result_schema>},
    FieldReader{"stdin", ReadText<&Request::stdin_bytes>},
    FieldReader{"stdin_base64", ReadStdinBase64},
    FieldReader{"keep_streams", ReadBool<&Request::keep_streams>},
    FieldReader{"files", ReadFiles},
    FieldReader{"workspace", ReadWorkspace},
    FieldReader{"mounts", ReadMounts},
    FieldReader{"collect", ReadTexts<&Request::collect>},
    FieldReader{"env", ReadEnv},
    FieldReader{"secrets", ReadSecrets},
    FieldReader{"policy", ReadText<&Request::policy>},
    FieldReader{"limits", ReadLimits},
    FieldReader{"require_limits", ReadBool<&Request::require_limits>},
    FieldReader{"network", ReadNetwork},
    FieldReader{"redact", ReadText<&Request::redact>},
    FieldReader{"redact_files", ReadBool<&Request::redact_files>},
    FieldReader{"redact_off", ReadTexts<&Request::redact_off>},
    FieldReader{"redact_rules", ReadText<&Request::redact_rules>},
    FieldReader{"isolation", ReadIsolation},
    FieldReader{"runtime", ReadText<&Request::runtime>},
    FieldReader{"require", ReadRequire},
    FieldReader{"checks", ReadChecks},
    FieldReader{"allowed_packages", ReadTexts<&Request::allowed_packages>},
    FieldReader{"complexity", ReadComplexity},
    FieldReader{"trace_parent", ReadTraceParent},
    FieldReader{"trace_state", ReadTraceState},
};

std::string KnownFields() {
  std::string names;
  for (const FieldReader& field : kFields) {
    if (!names.empty()) names += ", ";
    names += field.name;
  }
  return names;
}

// What a policy that is an object may have besides the name of the profile that it starts from: the request's
// fields of these names, in either place.
constexpr std::array<std::string_view, 6> kPolicyFields = {"limits", "require_limits",   "network",
                                                           "checks", "allowed_packages", "complexity"};

class RequestReader {
 public:
  explicit RequestReader(const MoreFields& more) : more_(more) {}

  Done Read(const std::string& key, const JsonField& value) {
    const auto taken = more_(key, value);
    if (!taken) return std::unexpected(taken.error());
    if (*taken) return {};
    if (key == "policy" && value.kind() == JsonTape::Kind::kObject) return ReadPolicy(value);
    return ReadField(key, value, KnownFields);
  }

  Expected<ExecutionRequest> Take() && {
    if (given_.contains("stdin") && given_.contains("stdin_base64"))
      return Refuse("give either \"stdin\" or \"stdin_base64\", not both");
    return std::move(request_);
  }

 private:
  Done ReadField(const std::string& key, const JsonField& value, std::string (*known)()) {
    const auto row = std::ranges::find(kFields, key, &FieldReader::name);
    if (row == kFields.end()) return UnknownField(value, known());
    if (!given_.insert(row->name).second)
      return Refuse(fmt::format("give \"{}\" either beside \"policy\" or in it, not both", key));
    return row->read(value, request_);
  }

  Done ReadPolicy(const JsonField& policy) {
    return policy.ForEachMember([this](const std::string& key, const JsonField& value) -> Done {
      if (key == "name") return Put(value.String(), request_.policy);
      if (std::ranges::find(kPolicyFields, key) == kPolicyFields.end())
        return UnknownField(value, fmt::format("name, {}", fmt::join(kPolicyFields, ", ")));
      return ReadField(key, value, KnownFields);
    });
  }

  const MoreFields& more_;
  ExecutionRequest request_;
  std::set<std::string_view> given_;
};

}  // namespace

Expected<ExecutionRequest> DecodeRequest(std::string_view text) {
  return DecodeRequest(text, [](const std::string&, const JsonField&) { return false; });
}

Expected<ExecutionRequest> DecodeRequest(std::string_view text, const MoreFields& more) {
  const auto json = ParseJson(text, {kRequestBytesMax, kJsonDepthCeiling});
  if (!json) return Refuse(fmt::format("the request is not JSON: {}", json.error().message));
  const JsonTape tape(*json);
  RequestReader reader(more);
  auto done = JsonField(tape, JsonTape::kRoot, "")
                  .ForEachMember([&reader](const std::string& key, const JsonField& value) {
                    return reader.Read(key, value);
                  });
  if (!done) return std::unexpected(std::move(done.error()));
  return std::move(reader).Take();
}

}  // namespace casemate
