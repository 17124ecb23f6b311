#include "engine/recorder.h"

#include <fmt/format.h>
#include <unistd.h>

#include <mutex>
#include <optional>
#include <string>

#include "model/json.h"
#include "model/request_json.h"
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
  std::string text =
      fmt::format("{}\n{}\n{}\n{}\n", view.name, view.python, view.python_prefix, view.python_version);
  for (const std::string& path : view.read_only_paths) text += path + '\n';
  for (const auto& [path, target] : view.symlinks) text += path + '>' + target + '\n';
  for (const std::string& path : view.sys_path) text += path + '\n';
  return Sha256Hex(text);
}

// The hash of a value, kept with the last value that was hashed: most runs of an engine are held to the same
// as the one before, and to see that takes less time than to write down a text of every field. Thread-safe.
template <typename Value>
class LastHash {
 public:
  explicit LastHash(std::string (*hash)(const Value&)) : hash_(hash) {}
  std::string Of(const Value& value) {
    const std::lock_guard lock(mutex_);
    if (last_ && *last_ == value) return text_;
    text_ = hash_(value);
    last_ = value;
    return text_;
  }

 private:
  std::string (*const hash_)(const Value&);
  std::mutex mutex_;
  std::optional<Value> last_;
  std::string text_;
};

std::string PolicyHash(const Policy& policy) {
  static auto& last = *new LastHash<Policy>(HashPolicy);  // never destroyed: a thread may still record
  return last.Of(policy);
}

std::string EnvironmentHash(const EnvironmentView& view) {
  // One that was built is held by a lease, which must not be kept here.
  if (!view.id.empty()) return view.id;
  static auto& last = *new LastHash<EnvironmentView>(HashEnvironment);
  return view.lease ? HashEnvironment(view) : last.Of(view);
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
  intent.seed = seed_;
  if (keep_us_) intent.keep_until_us = audit::WallUs() + *keep_us_;
  intent.kept = kept_;
  intent.kept_redacted = kept_redacted_;
  intent.not_kept = not_kept_;
  if (!result.isolation.enforced.empty()) intent.isolation = &result.isolation;
  return audit::EncodeIntent(intent);
}

// All of the request but the values of its variables, which no record has.
void RunRecorder::Keep(Scrubber& scrubber) {
  constexpr std::size_t kKeptBytesMax = std::size_t{8} << 20U;
  ExecutionRequest kept = request_;
  kept.env.clear();
  const auto text = EncodeRequest(kept);
  if (!text) {
    not_kept_ = text.error().message;
    return;
  }
  if (text->size() > kKeptBytesMax) {
    not_kept_ = fmt::format("the program and its data have {} bytes, and at most {} are kept", text->size(),
                            kKeptBytesMax);
    return;
  }
  const auto json = ParseJson(*text, {kKeptBytesMax, kJsonDepthCeiling});
  if (!json) {
    not_kept_ = json.error().message;
    return;
  }
  kept_.emplace(scrubber.Clean(*json, "audit"));
  kept_redacted_ = kept_->request() != *json;
}

Expected<void> RunRecorder::Begin(const ExecutionResult& result, const CheckedRequest& checked,
                                  const EnvironmentView& environment, Scrubber& scrubber) {
  if (writer_ == nullptr) return {};
  policy_sha256_ = PolicyHash(checked.policy);
  seed_ = checked.seed;
  keep_us_ = checked.audit_keep_us;
  if (checked.keep_program) Keep(scrubber);
  environment_sha256_ = EnvironmentHash(environment);
  auto written = writer_->Append({IntentBody(result)});
  begun_ = written.has_value();
  refused_ = !begun_;
  return written;
}

Expected<void> RunRecorder::End(const CleanResult& clean) {
  const ExecutionResult& result = clean.get();
  if (writer_ == nullptr || refused_) return {};
  std::vector<std::string> bodies;
  if (!begun_) bodies.push_back(IntentBody(result));
  bodies.push_back(audit::EncodeOutcome({.result = &result,
                                         .stdout_digest = {stdout_.Hex(), stdout_bytes_},
                                         .stderr_digest = {stderr_.Hex(), stderr_bytes_},
                                         .origin = &request_.origin}));
  return writer_->Append(std::move(bodies));
}

}  // namespace casemate
