#include "surfaces/cli/secrets_command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "model/json_writer.h"
#include "surfaces/cli/exit_code.h"
#include "surfaces/cli/run_command.h"
#include "surfaces/cli/secret_flag.h"
#include "surfaces/cli/secrets_scan.h"
#include "surfaces/cli/stream_writer.h"
#include "surfaces/cli/summary.h"

namespace casemate {
namespace {

constexpr std::string_view kHelp =
    "Usage: casemate secrets get [--reveal] REF [REF...]\n"
    "       casemate secrets check [--json] REF [REF...]\n"
    "       casemate secrets scan [--json] [--start-up] [FILE|FOLDER...]\n"
    "       casemate secrets run [FLAGS] --secret NAME[:file]=REF -- COMMAND [ARGS...]\n\n"
    "Finds secrets where they already are.\n\n"
    "  get    the value of the first reference that has one, masked; --reveal shows it, on a terminal only\n"
    "  check  which references have a value, without the values; exit code 0 when all of them have\n"
    "  scan   secrets that lie in files, by line and rule, never a value; --start-up: the files of your "
    "shell\n"
    "         and of common tools in your home; exit code 1 when there is one\n"
    "  run    a command in a sandbox that has the secrets, and nothing else of this host; all of the flags "
    "of\n"
    "         \"casemate run\" may stand before the command\n\n"
    "With casemate run and secrets run, --secret gives NAME as a variable, NAME:file as the file\n"
    "/run/secrets/NAME, NAME@HOST[:PORT][/HEADER] as a placeholder, which the egress proxy replaces in that\n"
    "field (Authorization) of https requests to HOST, with --network allow:HOST; the same NAME again adds\n"
    "a reference that is tried next.\n\n"
    "References:\n";

struct Form {
  std::string_view scheme;
  std::string_view text;
};
constexpr Form kForms[] = {
    // NOLINT(modernize-avoid-c-arrays): its size is its list's
    {"env", "a variable of this command"},
    {"file", "a file of this user or root that no other user can read, and that is no symbolic link"},
    {"dotenv", "a variable of a .env file, with the same rules"},
    {"cmd", "what a shell command prints: cmd:pass show api/key"},
    {"vault",
     "a field of a secret of HashiCorp Vault or OpenBao: VAULT_ADDR, and VAULT_TOKEN or another login"},
    {"aws", "a secret of AWS Secrets Manager, with the credentials that every AWS client finds"},
};

std::string HelpText(const SecretStore& store) {
  std::string text(kHelp);
  for (const std::string& form : store.Forms()) {
    const auto* const row =
        std::ranges::find(kForms, std::string_view(form).substr(0, form.find(':')), &Form::scheme);
    const std::string_view what = row != std::end(kForms) ? row->text : std::string_view();
    text += fmt::format("  {}\n      {}\n", form, what);
  }
  return text;
}

int Print(std::string_view text, int exit_code, const CliStreams& streams) {
  return WritePatiently(streams.out, text, -1) == 0 ? exit_code : kExitFailed;
}

int Refuse(const Error& error, const CliStreams& streams) {
  WritePatiently(streams.err, ErrorLine(error, StyleOf(streams.err, true)), -1);
  return kExitRefused;
}
int Refuse(std::string message, const CliStreams& streams) {
  return Refuse(Error{ErrorCode::kInvalidRequest, std::move(message), ""}, streams);
}

// The words of get and check: flags, then references.
struct Arguments {
  bool flag = false;
  std::vector<std::string> references;
};
Expected<Arguments> ParseArguments(const std::vector<std::string>& words, std::string_view flag) {
  Arguments arguments;
  for (std::size_t i = 1; i < words.size(); ++i) {
    if (words[i] == flag) {
      arguments.flag = true;
    } else if (words[i].starts_with('-')) {
      return Fail(
          ErrorCode::kInvalidRequest,
          fmt::format("casemate secrets {} takes {} and references, and no other flag", words[0], flag));
    } else {
      arguments.references.push_back(AbsoluteReference(words[i]));
    }
  }
  if (arguments.references.empty()) {
    return Fail(ErrorCode::kInvalidRequest, "name a reference, such as env:API_KEY or file:~/.api_key");
  }
  return arguments;
}

int Get(const std::vector<std::string>& words, SecretStore& store, const CliStreams& streams) {
  auto arguments = ParseArguments(words, "--reveal");
  if (!arguments) return Refuse(arguments.error(), streams);
  if (arguments->flag && isatty(streams.out) == 0) {
    return Refuse("--reveal writes a secret to a terminal only: leave it out, or use casemate secrets run",
                  streams);
  }
  WarnOfSecrets(arguments->references, store, streams);
  SecretRequest request;
  request.name = "asked for";
  request.references = std::move(arguments->references);
  auto found = store.Resolve({&request, 1});
  if (!found) return Refuse(found.error(), streams);
  const SecretValue& value = *found->front().value;
  if (!arguments->flag) return Print(fmt::format("{}\n", value.Masked()), kExitOk, streams);
  const int exit_code = Print(value.Reveal(), kExitOk, streams);
  return exit_code == kExitOk ? Print("\n", kExitOk, streams) : exit_code;
}

std::string_view StateName(SecretFinding::State state) {
  switch (state) {
    case SecretFinding::State::kFound:
      return "found";
    case SecretFinding::State::kMissing:
      return "missing";
    case SecretFinding::State::kFailed:
      return "failed";
  }
  return "";
}

std::string FindingsText(const std::vector<SecretFinding>& findings, const Style& style) {
  std::string text;
  for (const SecretFinding& finding : findings) {
    const bool found = finding.state == SecretFinding::State::kFound;
    text += fmt::format(
        "{}  {}",
        style.Paint(found ? Colour::kGreen : Colour::kRed, fmt::format("{:<7}", StateName(finding.state))),
        EscapeForTerminal(finding.reference));
    if (!finding.detail.empty()) text += ": " + EscapeForTerminal(finding.detail);
    text += '\n';
  }
  return text;
}

std::string FindingsJson(const std::vector<SecretFinding>& findings) {
  JsonWriter writer;
  writer.BeginArray();
  for (const SecretFinding& finding : findings) {
    writer.BeginObject();
    writer.Field("reference", finding.reference);
    writer.Field("state", StateName(finding.state));
    writer.Field("detail", finding.detail);
    writer.EndObject();
  }
  writer.EndArray();
  return std::move(writer).Take() + "\n";
}

int Check(const std::vector<std::string>& words, SecretStore& store, const CliStreams& streams) {
  auto arguments = ParseArguments(words, "--json");
  if (!arguments) return Refuse(arguments.error(), streams);
  const auto findings = store.Look(arguments->references);
  WarnOfSecrets(arguments->references, store, streams);
  const bool all = std::ranges::all_of(
      findings, [](const SecretFinding& one) { return one.state == SecretFinding::State::kFound; });
  return Print(arguments->flag ? FindingsJson(findings) : FindingsText(findings, StyleOf(streams.out, true)),
               all ? kExitOk : kExitUnhealthy, streams);
}

}  // namespace

void WarnOfSecrets(const std::vector<std::string>& references, const SecretStore& store,
                   const CliStreams& streams) {
  const Style style = StyleOf(streams.err, true);
  for (const std::string& advice : store.Advise(references)) {
    WritePatiently(
        streams.err,
        fmt::format("{} {}\n", style.Paint(Colour::kYellow, "casemate: warning:"), EscapeForTerminal(advice)),
        -1);
  }
}

int SecretsCommandLine(const std::vector<std::string>& words, const CliServices& services,
                       const CliStreams& streams) {
  const std::string command = words.empty() ? "" : words[0];
  if (command == "run") return RunCommandLine({words.begin() + 1, words.end()}, services, streams);
  const auto store = services.make_secrets({});
  if (command == "--help" || command == "-h" || command == "help") {
    return Print(HelpText(*store), kExitOk, streams);
  }
  if (command == "get") return Get(words, *store, streams);
  if (command == "check") return Check(words, *store, streams);
  if (command == "scan") return SecretsScan(words, streams);
  return Refuse("casemate secrets has the commands get, check, scan and run: see casemate secrets --help",
                streams);
}

}  // namespace casemate
