#include "surfaces/cli/keys_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include "policy/units.h"

namespace casemate {
namespace {

using Applied = Expected<void>;

std::unexpected<Error> Refuse(std::string message) {
  return Fail(ErrorCode::kInvalidRequest, std::move(message));
}

constexpr std::int64_t kCountMax = 1'000'000'000;
constexpr std::size_t kNameBytesMax = 100;

Applied Count(std::string_view text, std::int64_t& to) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), to);
  if (error != std::errc() || end != text.data() + text.size() || to < 1 || to > kCountMax) {
    return Refuse(fmt::format("\"{}\" is no whole number from 1 to {}", text, kCountMax));
  }
  return {};
}

// Days too, which no run lasts.
Applied Lifetime(std::string_view text, std::int64_t& to) {
  constexpr std::int64_t kDayMs = 24LL * 3600 * 1000;
  if (text.ends_with('d')) {
    if (auto days = Count(text.substr(0, text.size() - 1), to); !days) return days;
    if (to > 36500) return Refuse("a key lasts at most 36500d");
    to *= kDayMs;
    return {};
  }
  const auto ms = ParseDurationMs(text);
  if (!ms) return std::unexpected(ms.error());
  if (*ms <= 0) return Refuse("a key lasts longer than nothing");
  to = *ms;
  return {};
}

struct KeysFlag {
  std::string_view name;
  std::string_view argument;
  Applied (*apply)(KeysOptions&, std::string_view);
  std::string_view help;
};

constexpr std::array kFlags = {
    KeysFlag{"scopes", "SCOPES",
             [](KeysOptions& o, std::string_view v) -> Applied {
               const auto scopes = ParseScopes(v);
               if (!scopes) return std::unexpected(scopes.error());
               o.scopes = *scopes;
               return {};
             },
             "what it may do, with commas between (run)"},
    KeysFlag{"rate", "COUNT", [](KeysOptions& o, std::string_view v) { return Count(v, o.quota.per_minute); },
             "requests a minute, on average (no bound)"},
    KeysFlag{"burst", "COUNT", [](KeysOptions& o, std::string_view v) { return Count(v, o.quota.burst); },
             "requests at once before the rate counts (as many as a minute's)"},
    KeysFlag{"runs-per-day", "COUNT",
             [](KeysOptions& o, std::string_view v) { return Count(v, o.quota.runs_per_day); },
             "programs in 24 hours, counted anew when the engine starts (no bound)"},
    KeysFlag{"concurrent", "COUNT",
             [](KeysOptions& o, std::string_view v) { return Count(v, o.quota.concurrent); },
             "requests at one time (no bound)"},
    KeysFlag{"expires", "TIME", [](KeysOptions& o, std::string_view v) { return Lifetime(v, o.expires_ms); },
             "after which it is of no use: 12h, 30d (never)"},
    KeysFlag{"state-dir", "DIR",
             [](KeysOptions& o, std::string_view v) -> Applied {
               o.state_dir = v;
               return {};
             },
             "the engine's state folder"},
};

Applied TakeCommand(KeysOptions& options, std::string_view word) {
  using Command = KeysOptions::Command;
  if (word == "add") options.command = Command::kAdd;
  if (word == "list") options.command = Command::kList;
  if (word == "revoke") options.command = Command::kRevoke;
  if (options.command != Command::kHelp) return {};
  return Refuse(fmt::format("casemate keys has no \"{}\": write add NAME, list or revoke NAME", word));
}

Applied TakeWord(KeysOptions& options, std::string_view word, bool first) {
  if (first) return TakeCommand(options, word);
  if (options.command == KeysOptions::Command::kList || !options.name.empty()) {
    return Refuse(fmt::format("\"{}\" is one word too many", word));
  }
  if (word.empty() || word.size() > kNameBytesMax) {
    return Refuse(fmt::format("a key's name has 1 to {} bytes", kNameBytesMax));
  }
  options.name = word;
  return {};
}

}  // namespace

Expected<KeysOptions> ParseKeysOptions(const std::vector<std::string>& words) {
  KeysOptions options;
  bool first = true;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string_view word = words[i];
    if (word == "--help" || word == "-h" || word == "help") return KeysOptions();
    if (word == "--json") {
      options.json = true;
      continue;
    }
    if (!word.starts_with('-')) {
      if (auto taken = TakeWord(options, word, first); !taken) return std::unexpected(taken.error());
      first = false;
      continue;
    }
    const std::size_t equals = word.find('=');
    const auto* const flag = std::ranges::find_if(kFlags, [&](const KeysFlag& f) {
      return word.starts_with("--") && word.substr(2, equals == word.npos ? equals : equals - 2) == f.name;
    });
    if (flag == kFlags.end()) {
      return Refuse(
          fmt::format("casemate keys has no \"{}\": \"casemate keys --help\" lists its flags", word));
    }
    if (equals == std::string_view::npos && i + 1 == words.size()) {
      return Refuse(fmt::format("--{} needs a value: write --{} {}", flag->name, flag->name, flag->argument));
    }
    const std::string_view value =
        equals == std::string_view::npos ? std::string_view(words[++i]) : word.substr(equals + 1);
    if (auto applied = flag->apply(options, value); !applied) {
      return Refuse(fmt::format("--{}: {}", flag->name, applied.error().message));
    }
  }
  if (options.command == KeysOptions::Command::kHelp)
    return Refuse("write casemate keys add NAME, list or revoke NAME");
  if (options.name.empty() && options.command != KeysOptions::Command::kList) {
    return Refuse("name the key: casemate keys add NAME, casemate keys revoke NAME");
  }
  if (options.quota.burst > 0 && options.quota.per_minute == 0) {
    return Refuse("--burst is of a rate: give --rate too");
  }
  return options;
}

std::string KeysHelp() {
  std::string text =
      "Usage: casemate keys add NAME [FLAGS] | list [--json] | revoke NAME|ID\n\n"
      "Who may ask an engine that listens at a TCP address (casemate serve --listen). \"add\" prints the key "
      "once;\nwhat is kept is its digest. A revoked key is of no use from the next request on, without a "
      "restart.\n\nFlags:\n";
  for (const KeysFlag& flag : kFlags) {
    text += fmt::format("  {:<22}  {}\n", fmt::format("--{} {}", flag.name, flag.argument), flag.help);
  }
  return text + "  --json                  print one JSON object\n\nScopes:\n" + ScopesHelp();
}

}  // namespace casemate
