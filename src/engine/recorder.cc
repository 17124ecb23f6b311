#include "engine/recorder.h"

#include <fmt/format.h>
#include <unistd.h>

#include "policy/limit_table.h"

namespace casemate {
namespace {

std::string NetworkText(const NetworkPolicy& network) {
  std::string text = fmt::format("{} {} {}", network.limits.connections_max, network.limits.bytes_max,
                                 network.limits.bytes_per_second);
  for (const NetworkRule& rule : network.allow) {
    text += fmt::format("\nallow {}", rule.destination);
    for (const std::string& method : rule.methods) text += " " + method;
    for (const std::string& path : rule.paths) text += " " + path;
  }
  for (const auto& [name, addresses] : network.hosts) {
    text += "\nhost " + name;
    for (const std::string& address : addresses) text += " " + address;
  }
  return text;
}

// Of every field, so that two runs with the same hash were held to the same.
std::string HashPolicy(const Policy& policy) {
  std::string text = fmt::format("{}\n{}\n{}\n{}\n{}\n", policy.name, NetworkText(policy.network),
                                 policy.writes_host_folder, policy.shares_host_folder, policy.require_limits);
  for (const LimitField& field : LimitTable()) {
    const auto value = GetLimit(policy.limits, field);
    text += value ? fmt::format("{}={}\n", field.name, *value) : fmt::format("{}=\n", field.name);
  }
  return Sha256Hex(text);
}

std::string HashEnvironment(const EnvironmentView& view) {
  if (!view.id.empty()) return view.id;
  std::string text =
      fmt::format("{}\n{}\n{}\n{}\n", view.name, view.python, view.python_prefix, view.python_version);
  for (const std::string& path : view.read_only_paths) text += path + '\n';
  for (const auto& [path, target] : view.symlinks) text += path + '>' + target + '\n';
  for (const std::string& path : view.sys_path) text += path + '\n';
  return Sha256Hex(text);
}

}  // namespace

void RunRecorder::OnEvent(const Event& event) {
  if (const auto* text = std::get_if<StdoutEvent>(&event)) {
    stdout_.Update(text->text);
    stdout_bytes_ += static_cast<std::int64_t>(text->text.size());
  }
  if (const auto* text = std::get_if<StderrEvent>(&event)) {
    stderr_.Update(text->text);
    stderr_bytes_ += static_cast<std::int64_t>(text->text.size());
  }
  if (sink_ != nullptr) sink_->OnEvent(event);
}

std::string RunRecorder::IntentBody(const ExecutionResult& result) const {
  audit::RunIntent intent;
  intent.id = result.id;
  intent.request = &request_;
  intent.caller = request_.origin.caller.empty() ? fmt::format("uid:{}", ::getuid()) : request_.origin.caller;
  intent.code.sha256 = result.code_sha256;
  if (request_.code) {
    intent.code.bytes = static_cast<std::int64_t>(request_.code->size());
  } else {
    for (const std::string& word : request_.command) {
      intent.code.bytes += static_cast<std::int64_t>(word.size()) + 1;
    }
  }
  intent.policy_sha256 = policy_sha256_;
  intent.environment_sha256 = environment_sha256_;
  if (!result.isolation.enforced.empty()) intent.isolation = &result.isolation;
  return audit::EncodeIntent(intent);
}

Expected<void> RunRecorder::Begin(const ExecutionResult& result, const Policy& policy,
                                  const EnvironmentView& environment) {
  if (writer_ == nullptr) return {};
  policy_sha256_ = HashPolicy(policy);
  environment_sha256_ = HashEnvironment(environment);
  auto written = writer_->Append({IntentBody(result)});
  begun_ = written.has_value();
  refused_ = !begun_;
  return written;
}

Expected<void> RunRecorder::End(const ExecutionResult& result) {
  if (writer_ == nullptr || refused_) return {};
  std::vector<std::string> bodies;
  if (!begun_) bodies.push_back(IntentBody(result));
  bodies.push_back(audit::EncodeOutcome({.result = &result,
                                         .stdout_digest = {stdout_.Hex(), stdout_bytes_},
                                         .stderr_digest = {stderr_.Hex(), stderr_bytes_}}));
  return writer_->Append(std::move(bodies));
}

}  // namespace casemate
