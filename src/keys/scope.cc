#include "keys/scope.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace casemate {
namespace {

struct Row {
  Scope scope;
  std::string_view name;
  std::string_view allows;
};

constexpr std::array kRows = {
    Row{Scope::kRun, "run", "run programs, and end one's own runs"},
    Row{Scope::kBatch, "batch", "run many programs in one request"},
    Row{Scope::kSessions, "sessions", "keep live sandboxes, with their files and forks"},
    Row{Scope::kChecks, "checks", "look at code without running it"},
    Row{Scope::kRedact, "redact", "clean text of secrets"},
    Row{Scope::kAudit, "audit", "read who ran what"},
    Row{Scope::kMetrics, "metrics", "read counters, health and what runs now"},
    Row{Scope::kEnvironments, "environments", "list and make environments"},
    Row{Scope::kHost, "host", "name folders and files of the engine's host: as strong as the engine's user"},
    Row{Scope::kSecrets, "secrets", "name secrets of the engine's stores"},
    Row{Scope::kNetwork, "network", "name hosts that a program may reach, from the engine's host"},
    Row{Scope::kAdmin, "admin", "all of these, and other callers' runs"},
};

}  // namespace

std::string_view ScopeName(Scope scope) {
  const auto* const row = std::ranges::find(kRows, scope, &Row::scope);
  return row == kRows.end() ? "" : row->name;
}

Expected<Scopes> ParseScopes(std::string_view text) {
  Scopes scopes;
  for (;;) {
    const std::size_t comma = text.find(',');
    const std::string_view name = text.substr(0, comma);
    const auto* const row = std::ranges::find(kRows, name, &Row::name);
    if (row == kRows.end()) {
      std::string known;
      for (const Row& each : kRows) known += fmt::format("{}{}", known.empty() ? "" : ", ", each.name);
      return Fail(ErrorCode::kInvalidRequest,
                  fmt::format("\"{}\" is no scope: write some of {} with commas between", name, known));
    }
    scopes.Add(row->scope);
    if (comma == std::string_view::npos) return scopes;
    text.remove_prefix(comma + 1);
  }
}

std::string FormatScopes(Scopes scopes) {
  if (scopes.Has(Scope::kAdmin)) return "admin";
  std::string text;
  for (const Row& row : kRows) {
    if (scopes.Has(row.scope)) text += fmt::format("{}{}", text.empty() ? "" : ",", row.name);
  }
  return text;
}

std::string ScopesHelp() {
  std::string text;
  for (const Row& row : kRows) text += fmt::format("  {:<13} {}\n", row.name, row.allows);
  return text;
}

}  // namespace casemate
