#include "surfaces/cli/cli.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <string_view>
#include <vector>

#include "policy/nearest.h"
#include "surfaces/cli/bench_command.h"
#include "surfaces/cli/check_command.h"
#include "surfaces/cli/exit_code.h"
#include "surfaces/cli/explain_command.h"
#include "surfaces/cli/hand_over.h"
#include "surfaces/cli/keys_command.h"
#include "surfaces/cli/mcp_command.h"
#include "surfaces/cli/redact_command.h"
#include "surfaces/cli/report.h"
#include "surfaces/cli/run_command.h"
#include "surfaces/cli/secrets_command.h"
#include "surfaces/cli/session_command.h"
#include "surfaces/cli/stream_writer.h"
#include "surfaces/cli/summary.h"
#include "surfaces/cli/top_command.h"
#include "surfaces/cli/try_command.h"

namespace casemate {
namespace {

constexpr std::string_view kHelp =
    "Usage: casemate COMMAND\n\n"
    "Runs programs that nobody has read, each in a fresh sandbox.\n\n"
    "  run FILE [ARGS...]      run a Python program; \"casemate run --help\" lists all ways and flags\n"
    "  run -c CODE [ARGS...]   run Python code\n"
    "  run -- COMMAND ARGS...  run any command\n"
    "  serve                   stay, and run programs for others; \"casemate serve --help\" lists its flags\n"
    "  mcp                     run programs for a client of the Model Context Protocol; \"casemate mcp "
    "--help\"\n"
    "  session COMMAND         a live interpreter whose state stays from step to step; \"casemate session "
    "--help\"\n"
    "  run --batch FILE        run many programs, one request object a line\n"
    "  check FILE...           say what is wrong with Python files, without running them; \"casemate check "
    "--help\"\n"
    "  bench [FILE|CODE]       what a run costs, step by step; \"casemate bench --help\" lists its flags\n"
    "  top                     what a resident engine does at this moment\n"
    "  audit COMMAND           what ran, who asked, what was refused; \"casemate audit --help\" lists its "
    "commands\n"
    "  replay ID               run a recorded program again, and compare what came of it\n"
    "  env COMMAND             packages and images that programs run with; \"casemate env --help\" lists its "
    "commands\n"
    "  try DIR                 run someone's program with its packages, and say what it touched\n"
    "  keys add|list|revoke    who may ask casemate serve --listen; \"casemate keys --help\" lists the "
    "flags\n"
    "  secrets get|check|run   secrets from where they are; \"casemate secrets --help\" lists the forms\n"
    "  redact [FILE]           take secrets out of any text; \"casemate redact --help\" lists its flags\n"
    "  explain FILE|-c CODE    what a run would be under each tier; \"casemate explain --help\"\n"
    "  doctor [--json]         what this host can enforce, and how to mend what it cannot\n"
    "  gc [--json]             remove what killed runs have left behind\n"
    "  version                 print the version\n"
    "  help                    print this text\n\n"
    "doctor and gc also take --python PATH and --state-dir DIR.\n\n"
    "Exit codes of run:\n";

std::string HelpText() {
  std::string text(kHelp);
  for (const StatusExit& row : StatusExits()) {
    const std::string code = row.code == StatusExit::kOwn ? "own" : std::to_string(row.code);
    text += fmt::format("  {:<4} {:<15} {}\n", code, StatusName(row.status), row.reason);
  }
  return text +
         fmt::format("  {:<4} {:<15} {}\n", kExitNothing, "", "no such program, interpreter or command");
}

int Print(std::string_view text, int exit_code, const CliStreams& streams) {
  return WritePatiently(streams.out, text, -1) == 0 ? exit_code : kExitFailed;
}

int Refuse(std::string message, const CliStreams& streams) {
  const Error error{ErrorCode::kInvalidRequest, std::move(message), ""};
  WritePatiently(streams.err, ErrorLine(error, StyleOf(streams.err, true)), -1);
  return kExitRefused;
}

struct ReportOptions {
  EngineOptions engine;
  bool json = false;
};

// The few flags of doctor and gc, as "--flag VALUE" or "--flag=VALUE".
Expected<ReportOptions> ParseReportOptions(const std::vector<std::string>& words) {
  ReportOptions options;
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word == "--json") {
      options.json = true;
      continue;
    }
    const std::size_t equals = word.find('=');
    const std::string name = word.substr(0, equals);
    if (name != "--python" && name != "--state-dir") {
      return Fail(ErrorCode::kInvalidRequest,
                  fmt::format("casemate {} has no \"{}\": it takes --json, --python PATH and --state-dir DIR",
                              words[0], word));
    }
    if (equals == std::string::npos && i + 1 == words.size()) {
      return Fail(ErrorCode::kInvalidRequest, fmt::format("{} needs a value: write {} PATH", name, name));
    }
    std::string value = equals == std::string::npos ? words[++i] : word.substr(equals + 1);
    (name == "--python" ? options.engine.python : options.engine.state_dir) = std::move(value);
  }
  return options;
}

int Doctor(const ReportOptions& options, const CliServices& services, const CliStreams& streams) {
  const DoctorReport report = services.diagnose(options.engine);
  const std::string text = options.json ? DoctorJson(report) : DoctorText(report, StyleOf(streams.out, true));
  return Print(text, report.healthy ? kExitOk : kExitUnhealthy, streams);
}

int Gc(const ReportOptions& options, const CliServices& services, const CliStreams& streams) {
  const GarbageReport report = services.collect_garbage(options.engine);
  const std::string text =
      options.json ? GarbageJson(report) : GarbageText(report, StyleOf(streams.out, true));
  return Print(text, report.kept.empty() ? kExitOk : kExitUnhealthy, streams);
}

using Words = std::vector<std::string>;

int Serve(const Words& words, const CliServices& services, const CliStreams& streams) {
  return services.serve ? services.serve({words.begin() + 1, words.end()}, streams)
                        : HandOver("casemate-server", words, streams);
}

template <int (*Run)(const Words&, const CliServices&, const CliStreams&)>
int With(const Words& words, const CliServices& services, const CliStreams& streams) {
  return Run({words.begin() + 1, words.end()}, services, streams);
}
template <int (*Run)(const Words&, const CliStreams&)>
int Alone(const Words& words, const CliServices& /*services*/, const CliStreams& streams) {
  return Run({words.begin() + 1, words.end()}, streams);
}
template <int (*Run)(const ReportOptions&, const CliServices&, const CliStreams&)>
int Reporting(const Words& words, const CliServices& services, const CliStreams& streams) {
  const auto options = ParseReportOptions(words);
  return options ? Run(*options, services, streams) : Refuse(options.error().message, streams);
}
int Audit(const Words& words, const CliServices& /*services*/, const CliStreams& streams) {
  return HandOver("casemate-audit", words, streams);
}
int Replay(const Words& words, const CliServices& /*services*/, const CliStreams& streams) {
  Words all = words;
  all.insert(all.begin(), "audit");
  return HandOver("casemate-audit", all, streams);
}
int Environments(const Words& words, const CliServices& /*services*/, const CliStreams& streams) {
  return HandOver("casemate-env", words, streams);
}
int Version(const Words& /*words*/, const CliServices& /*services*/, const CliStreams& streams) {
  return Print("casemate " CASEMATE_VERSION "\n", kExitOk, streams);
}
int Help(const Words& /*words*/, const CliServices& /*services*/, const CliStreams& streams) {
  return Print(HelpText(), kExitOk, streams);
}

struct Command {
  std::string_view name;
  int (*run)(const Words& words, const CliServices& services, const CliStreams& streams);
};
constexpr auto kCommands = std::to_array<Command>({
    {"run", With<RunCommandLine>},
    {"serve", Serve},
    {"session", Alone<SessionCommandLine>},
    {"mcp", With<McpCommandLine>},
    {"try", With<TryCommandLine>},
    {"env", Environments},
    {"check", Alone<CheckCommandLine>},
    {"redact", Alone<RedactCommandLine>},
    {"secrets", With<SecretsCommandLine>},
    {"keys", Alone<KeysCommandLine>},
    {"audit", Audit},
    {"replay", Replay},
    {"top", Alone<TopCommandLine>},
    {"bench", With<BenchCommandLine>},
    {"explain", With<ExplainCommandLine>},
    {"doctor", Reporting<Doctor>},
    {"gc", Reporting<Gc>},
    {"version", Version},
    {"--version", Version},
    {"help", Help},
    {"--help", Help},
    {"-h", Help},
});

}  // namespace

int CliMain(const std::vector<std::string>& words, const CliServices& services, const CliStreams& streams) {
  // A reader that is gone is an error of write(2), not a reason to die with a sandbox half taken down.
  std::signal(SIGPIPE, SIG_IGN);
  if (words.empty()) return Refuse("no command is given: \"casemate help\" lists them", streams);
  const std::string& name = words[0];
  const auto* const command = std::ranges::find(kCommands, name, &Command::name);
  if (command != kCommands.end()) return command->run(words, services, streams);
  std::vector<std::string_view> names;
  for (const Command& each : kCommands) names.push_back(each.name);
  const std::string_view nearest = NearestName(name, names);
  return Refuse(nearest.empty()
                    ? fmt::format("there is no command \"{}\": \"casemate help\" lists them", name)
                    : fmt::format("there is no command \"{}\": did you mean \"{}\"?", name, nearest),
                streams);
}

}  // namespace casemate
