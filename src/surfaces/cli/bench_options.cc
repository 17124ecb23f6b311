#include "surfaces/cli/bench_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "policy/nearest.h"

namespace casemate {
namespace {

using Applied = Expected<void>;

std::unexpected<Error> Refuse(std::string message) {
  return Fail(ErrorCode::kInvalidRequest, std::move(message));
}

Expected<std::int64_t> Count(std::string_view text, std::int64_t max) {
  std::int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc() || end != text.data() + text.size() || count < 1 || count > max) {
    return Refuse(fmt::format("\"{}\" is no number from 1 to {}", text, max));
  }
  return count;
}

Applied SetRounds(BenchOptions& options, std::string_view value) {
  const auto rounds = Count(value, kBenchRoundsMax);
  if (!rounds) return std::unexpected(rounds.error());
  options.rounds = *rounds;
  return {};
}

Applied SetClients(BenchOptions& options, std::string_view value) {
  const auto clients = Count(value, kBenchClientsMax);
  if (!clients) return std::unexpected(clients.error());
  options.clients = static_cast<int>(*clients);
  return {};
}

Applied SetEngine(BenchOptions& options, BenchOptions::Engine engine) {
  if (options.engine != BenchOptions::Engine::kNearest && options.engine != engine) {
    return Refuse("an engine is either warm or cold: leave one of them out");
  }
  options.engine = engine;
  return {};
}

// Names of modules with commas between them.
Applied SetPreload(BenchOptions& options, std::string_view value) {
  auto& modules = options.run.engine.warm.preload;
  for (std::string_view rest = value; !rest.empty();) {
    const std::size_t comma = rest.find(',');
    if (comma == 0) return Refuse("write the modules with one comma between them: numpy,pandas");
    modules.emplace_back(rest.substr(0, comma));
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
  }
  if (modules.empty()) return Refuse("no module is named");
  return SetEngine(options, BenchOptions::Engine::kWarm);
}

struct BenchFlag {
  std::string_view name;      // without "--"
  std::string_view argument;  // its name in the help; "" when it takes none
  Applied (*apply)(BenchOptions&, std::string_view);
  std::string_view help;
};

constexpr std::array kFlags = {
    BenchFlag{"rounds", "COUNT", SetRounds, "runs in all (1000, cold 100)"},
    BenchFlag{"clients", "COUNT", SetClients, "runs at one time (1)"},
    BenchFlag{"warm", "",
              [](BenchOptions& o, std::string_view) { return SetEngine(o, BenchOptions::Engine::kWarm); },
              "in an engine of our own that keeps cells ready"},
    BenchFlag{"cold", "",
              [](BenchOptions& o, std::string_view) { return SetEngine(o, BenchOptions::Engine::kCold); },
              "in an engine of our own that keeps nothing"},
    BenchFlag{"preload", "MODULES", SetPreload, "as --warm, with these imported: numpy,pandas"},
    BenchFlag{"engine", "SOCKET",
              [](BenchOptions& o, std::string_view v) -> Applied {
                if (v.empty()) return Refuse("the socket's path is empty");
                o.run.engine_socket = v;
                return {};
              },
              "in this resident engine (whichever answers)"},
    BenchFlag{"json", "",
              [](BenchOptions& o, std::string_view) -> Applied {
                o.json = true;
                return {};
              },
              "print one JSON object instead of the table"},
    BenchFlag{"no-color", "",
              [](BenchOptions& o, std::string_view) -> Applied {
                o.run.color = false;
                return {};
              },
              "no colours and no block characters"},
    BenchFlag{"python", "PATH",
              [](BenchOptions& o, std::string_view v) -> Applied {
                o.run.engine.python = v;
                return {};
              },
              "the host's interpreter (python3 in PATH)"},
    BenchFlag{"state-dir", "DIR",
              [](BenchOptions& o, std::string_view v) -> Applied {
                o.run.engine.state_dir = v;
                return {};
              },
              "where what was learnt of the host is kept"},
    BenchFlag{"help", "",
              [](BenchOptions& o, std::string_view) -> Applied {
                o.help = true;
                return {};
              },
              "this text"},
};

std::unexpected<Error> UnknownFlag(std::string_view name) {
  std::vector<std::string_view> known;
  for (const BenchFlag& flag : kFlags) known.push_back(flag.name);
  const std::string_view nearest = name.starts_with("--") ? NearestName(name.substr(2), known) : "";
  if (nearest.empty()) {
    return Refuse(
        fmt::format("casemate bench has no \"{}\": \"casemate bench --help\" lists its flags", name));
  }
  return Refuse(fmt::format("casemate bench has no \"{}\": did you mean \"--{}\"?", name, nearest));
}

// Takes the flag at words[i] with its value.
Expected<void> TakeFlag(const std::vector<std::string>& words, std::size_t& i, BenchOptions& options) {
  const std::string_view word = words[i] == "-h" ? "--help" : std::string_view(words[i]);
  const std::size_t equals = word.find('=');
  const std::string_view name = word.substr(0, equals);
  const auto flag = std::ranges::find_if(
      kFlags, [&](const BenchFlag& f) { return name.starts_with("--") && name.substr(2) == f.name; });
  if (flag == kFlags.end()) return UnknownFlag(name);
  std::string_view value;
  if (flag->argument.empty()) {
    if (equals != std::string_view::npos) return Refuse(fmt::format("{} takes no value: leave it out", name));
  } else if (equals != std::string_view::npos) {
    value = word.substr(equals + 1);
  } else if (i + 1 < words.size()) {
    value = words[++i];
  } else {
    return Refuse(fmt::format("{} needs a value: write {} {}", name, name, flag->argument));
  }
  if (auto applied = flag->apply(options, value); !applied) {
    return Refuse(fmt::format("{}: {}", name, applied.error().message));
  }
  return {};
}

}  // namespace

Expected<BenchOptions> ParseBenchOptions(const std::vector<std::string>& words) {
  BenchOptions options;
  bool has_program = false;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word.starts_with('-') && word != "-c") {
      if (auto taken = TakeFlag(words, i, options); !taken) return std::unexpected(taken.error());
      continue;
    }
    if (has_program) {
      return Refuse(fmt::format("\"{}\" is a second program: measure one at a time", word));
    }
    has_program = true;
    options.program_is_code = word == "-c";
    if (options.program_is_code && i + 1 == words.size()) return Refuse("-c needs a value: write -c CODE");
    options.program = options.program_is_code ? words[++i] : word;
  }
  if (options.engine != BenchOptions::Engine::kNearest && !options.run.engine_socket.empty()) {
    return Refuse("--engine names an engine and --warm, --cold and --preload make another: choose one");
  }
  if (options.rounds == 0) options.rounds = options.engine == BenchOptions::Engine::kCold ? 100 : 1000;
  return options;
}

std::string BenchHelp() {
  std::string text =
      "Usage: casemate bench [FLAGS] [FILE|CODE]\n"
      "       casemate bench [FLAGS] -c CODE\n\n"
      "Runs a Python program again and again (\"pass\" if none is named), each time in a fresh sandbox, and "
      "tells\nwhat each step costs.\n\n"
      "Flags:\n";
  for (const BenchFlag& flag : kFlags) {
    text += fmt::format("  {:<20}  {}\n", fmt::format("--{} {}", flag.name, flag.argument), flag.help);
  }
  return text;
}

}  // namespace casemate
