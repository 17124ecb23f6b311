#include <fmt/format.h>

#include <set>

#include "base/utf8.h"
#include "model/base64.h"
#include "model/json.h"
#include "model/json_writer.h"
#include "model/request_json.h"
#include "model/trace_parent.h"

namespace casemate {
namespace {

// Writes a request, and remembers the first thing that JSON cannot tell.
class RequestWriter {
 public:
  void Text(std::string_view name, std::string_view value) {
    writer_.Key(name);
    Value(name, value);
  }

  void Texts(std::string_view name, const std::vector<std::string>& values) {
    if (values.empty()) return;
    writer_.Key(name);
    writer_.BeginArray();
    for (const std::string& value : values) Value(name, value);
    writer_.EndArray();
  }

  void Json(std::string_view name, const std::optional<std::string>& text) {
    if (!text) return;
    auto json = ParseJson(*text, {kRequestBytesMax, kJsonDepthCeiling});
    if (!json) return Blame(fmt::format("\"{}\" is not JSON: {}", name, json.error().message));
    writer_.Key(name);
    writer_.Raw(*json);
  }

  void Stdin(std::string_view bytes) {
    if (bytes.empty()) return;
    if (IsValidUtf8(bytes)) return Text("stdin", bytes);
    writer_.Field("stdin_base64", EncodeBase64(bytes));
  }

  void Files(const std::vector<InputFile>& files) {
    if (files.empty()) return;
    std::set<std::string_view> names;
    writer_.Key("files");
    writer_.BeginObject();
    for (const InputFile& file : files) {
      if (!names.insert(file.name).second) Blame(fmt::format("the file \"{}\" is given twice", file.name));
      Key("files", file.name);
      if (IsValidUtf8(file.bytes)) {
        writer_.String(file.bytes);
        continue;
      }
      writer_.BeginObject();
      writer_.Field("base64", EncodeBase64(file.bytes));
      writer_.EndObject();
    }
    writer_.EndObject();
  }

  void HostPaths(const ExecutionRequest& request) {
    if (request.workspace) {
      writer_.Key("workspace");
      writer_.BeginObject();
      Text("path", request.workspace->host_path);
      Text("mode", WorkspaceModeName(request.workspace->mode));
      writer_.EndObject();
    }
    if (request.mounts.empty()) return;
    writer_.Key("mounts");
    writer_.BeginArray();
    for (const HostMount& mount : request.mounts) {
      writer_.BeginObject();
      Text("path", mount.host_path);
      Text("inside", mount.inside_path);
      Text("mode", mount.writable ? "rw" : "ro");
      writer_.EndObject();
    }
    writer_.EndArray();
  }

  void Env(const std::map<std::string, std::string>& env) {
    if (env.empty()) return;
    writer_.Key("env");
    writer_.BeginObject();
    for (const auto& [name, value] : env) {
      Key("env", name);
      Value("env", value);
    }
    writer_.EndObject();
  }

  void Secrets(const std::vector<SecretRequest>& secrets) {
    if (secrets.empty()) return;
    std::set<std::string_view> names;
    writer_.Key("secrets");
    writer_.BeginObject();
    for (const SecretRequest& secret : secrets) {
      if (!names.insert(secret.name).second)
        Blame(fmt::format("the secret \"{}\" is given twice", secret.name));
      Key("secrets", secret.name);
      writer_.BeginObject();
      Texts("from", secret.references);
      if (secret.mode) Text("as", SecretModeName(*secret.mode));
      Texts("hosts", secret.hosts);
      writer_.EndObject();
    }
    writer_.EndObject();
  }

  void Network(const NetworkPolicy& network) {
    writer_.Key("network");
    writer_.BeginObject();
    writer_.Key("allow");
    writer_.BeginArray();
    for (const NetworkRule& rule : network.allow) {
      writer_.BeginObject();
      Text("to", rule.destination);
      Texts("methods", rule.methods);
      Texts("paths", rule.paths);
      writer_.EndObject();
    }
    writer_.EndArray();
    writer_.Key("hosts");
    writer_.BeginObject();
    for (const auto& [name, addresses] : network.hosts) {
      Key("network", name);
      writer_.BeginArray();
      for (const std::string& address : addresses) Value("network", address);
      writer_.EndArray();
    }
    writer_.EndObject();
    writer_.Key("limits");
    writer_.BeginObject();
    writer_.Field("connections", network.limits.connections_max);
    writer_.Field("bytes", network.limits.bytes_max);
    writer_.Field("bytes_per_second", network.limits.bytes_per_second);
    writer_.EndObject();
    writer_.EndObject();
  }

  void Limits(const std::map<std::string, double>& limits) {
    if (limits.empty()) return;
    writer_.Key("limits");
    writer_.BeginObject();
    for (const auto& [name, value] : limits) {
      Key("limits", name);
      writer_.Double(value);
    }
    writer_.EndObject();
  }

  void Complexity(const std::map<std::string, std::int64_t>& complexity) {
    if (complexity.empty()) return;
    writer_.Key("complexity");
    writer_.BeginObject();
    for (const auto& [name, value] : complexity) {
      Key("complexity", name);
      writer_.Int(value);
    }
    writer_.EndObject();
  }

  void Begin() { writer_.BeginObject(); }
  void Flag(std::string_view name, bool value) { writer_.Field(name, value); }
  void Blame(std::string message) {
    if (problem_.empty()) problem_ = std::move(message);
  }

  Expected<std::string> Take() {
    writer_.EndObject();
    if (writer_.text().size() > kRequestBytesMax) {
      Blame(fmt::format("the request is larger than {} bytes", kRequestBytesMax));
    }
    if (!problem_.empty()) return Fail(ErrorCode::kInvalidRequest, std::move(problem_));
    return std::move(writer_).Take();
  }

 private:
  void Check(std::string_view name, std::string_view text) {
    if (!IsValidUtf8(text)) Blame(fmt::format("\"{}\" is not UTF-8 text", name));
  }
  void Value(std::string_view name, std::string_view value) {
    Check(name, value);
    writer_.String(value);
  }
  void Key(std::string_view name, std::string_view key) {
    Check(name, key);
    writer_.Key(key);
  }

  JsonWriter writer_;
  std::string problem_;
};

}  // namespace

Expected<std::string> EncodeRequest(const ExecutionRequest& request) {
  const ExecutionRequest defaults;
  RequestWriter writer;
  writer.Begin();
  if (request.stdin_fd >= 0) writer.Blame("a request object cannot hold a stdin that is still open");
  if (request.code) writer.Text("code", *request.code);
  writer.Texts("command", request.command);
  const auto unless_default = [&](std::string_view name, std::string ExecutionRequest::*member) {
    if (request.*member != defaults.*member) writer.Text(name, request.*member);
  };
  unless_default("code_name", &ExecutionRequest::code_name);
  unless_default("language", &ExecutionRequest::language);
  unless_default("environment", &ExecutionRequest::environment);
  unless_default("policy", &ExecutionRequest::policy);
  unless_default("redact", &ExecutionRequest::redact);
  unless_default("redact_rules", &ExecutionRequest::redact_rules);
  writer.Texts("redact_off", request.redact_off);
  writer.Texts("args", request.args);
  writer.Json("input", request.input_json);
  writer.Json("input_schema", request.input_schema);
  writer.Json("result_schema", request.result_schema);
  writer.Stdin(request.stdin_bytes);
  if (!request.keep_streams) writer.Flag("keep_streams", false);
  writer.Files(request.files);
  writer.HostPaths(request);
  writer.Texts("collect", request.collect);
  writer.Env(request.env);
  writer.Secrets(request.secrets);
  writer.Limits(request.limits);
  if (request.redact_files) writer.Flag("redact_files", true);
  if (request.network) writer.Network(*request.network);
  if (request.require_limits) writer.Flag("require_limits", true);
  if (request.isolation) writer.Text("isolation", TierName(*request.isolation));
  if (!request.runtime.empty()) writer.Text("runtime", request.runtime);
  if (request.require) writer.Text("require", TierName(*request.require));
  if (request.checks) writer.Text("checks", ChecksModeName(*request.checks));
  writer.Texts("allowed_packages", request.allowed_packages);
  writer.Complexity(request.complexity);
  if (IsTraceParent(request.origin.trace_parent)) writer.Text("trace_parent", request.origin.trace_parent);
  if (IsTraceState(request.origin.trace_state)) writer.Text("trace_state", request.origin.trace_state);
  return writer.Take();
}

}  // namespace casemate
