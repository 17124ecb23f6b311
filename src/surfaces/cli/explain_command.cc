#include "surfaces/cli/explain_command.h"

#include <fmt/format.h>

#include "model/json_writer.h"
#include "model/refusal.h"
#include "policy/limit_table.h"
#include "surfaces/cli/exit_code.h"
#include "surfaces/cli/load_request.h"
#include "surfaces/cli/run_options.h"
#include "surfaces/cli/stream_writer.h"
#include "surfaces/cli/summary.h"

namespace casemate {
namespace {

constexpr std::string_view kHelp =
    "Usage: casemate explain [FLAGS OF RUN] FILE|-c CODE|-- COMMAND [ARGS...]\n\n"
    "Prints what the request would be under each tier, and runs nothing: the policy with every limit, what "
    "holds\n"
    "each guarantee here, and what other tools can take over: the line of docker run, the body of the "
    "Docker\n"
    "Engine's API, the list of system calls.\n\n"
    "  --isolation TIER   one tier alone\n"
    "  --json             one JSON object\n\n"
    "All other flags are those of \"casemate run --help\".\n";

void WritePolicy(const Policy& policy, JsonWriter& json) {
  json.BeginObject();
  json.Field("name", policy.name);
  json.Key("limits");
  json.BeginObject();
  for (const LimitField& field : LimitTable()) json.Field(field.name, GetLimit(policy.limits, field));
  json.EndObject();
  json.Field("network", "none");
  json.Field("checks", ChecksModeName(policy.checks.mode));
  json.Field("shares_host_folder", policy.shares_host_folder);
  json.Field("writes_host_folder", policy.writes_host_folder);
  json.Field("require_limits", policy.require_limits);
  json.EndObject();
}

void WriteTier(const TierExplanation& tier, JsonWriter& json) {
  json.BeginObject();
  json.Field("tier", TierName(tier.tier));
  json.Field("available", tier.why_not.empty());
  json.Field("why_not", tier.why_not);
  json.Key("enforced");
  json.BeginArray();
  for (const Enforced& held : tier.report.enforced) {
    json.BeginObject();
    json.Field("guarantee", held.guarantee);
    json.Field("mechanism", held.mechanism);
    json.EndObject();
  }
  json.EndArray();
  json.Key("not_enforced");
  json.BeginArray();
  for (const NotEnforced& gap : tier.report.not_enforced) {
    json.BeginObject();
    json.Field("guarantee", gap.guarantee);
    json.Field("reason", gap.reason);
    json.Field("fallback", gap.fallback);
    json.Field("remedy", gap.remedy);
    json.EndObject();
  }
  json.EndArray();
  json.Key("documents");
  json.BeginObject();
  for (const Document& document : tier.documents) json.Field(document.name, document.text);
  json.EndObject();
  json.EndObject();
}

int Refuse(const Error& error, const CliStreams& streams) {
  WritePatiently(streams.err, ErrorLine(error, StyleOf(streams.err, true)), -1);
  return ExitCodeOf(RefusalOf(error), 0);
}

}  // namespace

std::string ExplanationJson(const Explanation& explanation) {
  JsonWriter json;
  json.BeginObject();
  json.Key("policy");
  WritePolicy(explanation.policy, json);
  json.Key("argv");
  json.BeginArray();
  for (const std::string& word : explanation.argv) json.String(word);
  json.EndArray();
  json.Key("tiers");
  json.BeginArray();
  for (const TierExplanation& tier : explanation.tiers) WriteTier(tier, json);
  json.EndArray();
  json.EndObject();
  return std::move(json).Take() + "\n";
}

std::string ExplanationText(const Explanation& explanation) {
  JsonWriter policy;
  WritePolicy(explanation.policy, policy);
  std::string text = "policy\n  " + policy.text() + "\n";
  for (const TierExplanation& tier : explanation.tiers) {
    text += fmt::format("\ntier {}\n", TierName(tier.tier));
    if (!tier.why_not.empty()) text += "  not here: " + tier.why_not + "\n";
    for (const Enforced& held : tier.report.enforced)
      text += fmt::format("  {:<12} {}\n", held.guarantee, held.mechanism);
    for (const NotEnforced& gap : tier.report.not_enforced)
      text += fmt::format("  {:<12} weaker: {}; remedy: {}\n", gap.guarantee, gap.reason, gap.remedy);
    for (const Document& document : tier.documents)
      text += fmt::format("\n  --- {}\n{}", document.name, document.text);
  }
  return text;
}

int ExplainCommandLine(const std::vector<std::string>& words, const CliServices& services,
                       const CliStreams& streams) {
  const auto options = ParseRunOptions(words);
  if (!options) return Refuse(options.error(), streams);
  if (options->help) return WritePatiently(streams.out, kHelp, -1) == 0 ? kExitOk : kExitFailed;
  const auto request = LoadRequest(*options, streams.in);
  if (!request) return Refuse(request.error(), streams);
  const auto explanation = services.explain(options->engine, *request);
  if (!explanation) return Refuse(explanation.error(), streams);
  const std::string text = options->json ? ExplanationJson(*explanation) : ExplanationText(*explanation);
  return WritePatiently(streams.out, text, -1) == 0 ? kExitOk : kExitFailed;
}

}  // namespace casemate
