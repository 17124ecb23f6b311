#include "surfaces/cli/session_command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdlib>
#include <span>
#include <string_view>

#include "base/file.h"
#include "model/json.h"
#include "model/json_fields.h"
#include "model/json_writer.h"
#include "model/result_json.h"
#include "surfaces/cli/exit_code.h"
#include "surfaces/cli/stream_writer.h"
#include "surfaces/cli/summary.h"
#include "surfaces/http/client.h"
#include "surfaces/http/socket.h"

namespace casemate {
namespace {

constexpr std::string_view kHelp =
    "Usage: casemate session [--engine SOCKET] COMMAND\n\n"
    "A live interpreter in a sandbox, whose state stays from step to step. It lives in a resident engine\n"
    "(casemate serve) and ends with it.\n\n"
    "  open [JSON]             open one, and print its id; JSON is an object such as\n"
    "                          {\"limits\": {\"memory_bytes\": 1e9}, \"env\": {...}, \"idle_timeout_ms\": "
    "60000}\n"
    "  run ID -c CODE          run a step: its output, and the value of its last expression\n"
    "  run ID FILE|-           the same from a file or stdin; with --json before ID, the whole result\n"
    "  interrupt ID            KeyboardInterrupt in the step that runs\n"
    "  list                    all sessions, as JSON lines\n"
    "  show ID                 one session\n"
    "  put ID PATH FILE|-      a file into its workspace\n"
    "  get ID PATH             a file of its workspace, to stdout\n"
    "  ls ID [DIR]             what is in its workspace\n"
    "  mv ID PATH OTHER        move a file of its workspace\n"
    "  rm ID PATH              remove a file or an empty folder of its workspace\n"
    "  fork ID [COUNT]         sessions that begin where this one is, and print their ids\n"
    "  checkpoint ID [NAME]    a state to go back to, and print its id; checkpoints ID lists them\n"
    "  rewind ID CHECKPOINT    go back to it; what came after it is lost\n"
    "  drop ID CHECKPOINT      forget a checkpoint\n"
    "  close ID                end it\n";

constexpr std::size_t kBytesMax = 64 << 20;

struct Ask {
  std::string_view method;
  std::string target;
  std::string body;
};

std::unexpected<Error> Invalid(std::string message) {
  return Fail(ErrorCode::kInvalidRequest, std::move(message));
}

std::string Escape(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("/._-~").contains(c);
    escaped += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return escaped;
}

Expected<std::string> Bytes(const std::string& source) {
  return source == "-" ? ReadAll(STDIN_FILENO, kBytesMax, "stdin") : ReadFile(source, kBytesMax);
}

std::string Target(const std::string& id, std::string_view rest = "") {
  return fmt::format("/v1/sessions/{}{}", Escape(id), rest);
}

std::string FileTarget(const std::string& id, const std::string& path, std::string_view query = "") {
  return Target(id, fmt::format("/files/{}{}", Escape(path), query));
}

Expected<Ask> StepAsk(std::span<const std::string> words) {
  const bool given = words.size() == 3 && words[1] == "-c";
  if (!given && words.size() != 2)
    return Invalid("write: casemate session run [--json] ID -c CODE, or ID FILE");
  Expected<std::string> code = given ? words[2] : Bytes(words[1]);
  if (!code) return std::unexpected(code.error());
  JsonWriter body;
  body.BeginObject();
  body.Field("code", *code);
  body.EndObject();
  return Ask{"POST", Target(words[0], "/run"), std::move(body).Take()};
}

std::string Object(std::string_view name, std::string_view value) {
  JsonWriter body;
  body.BeginObject();
  body.Field(name, value);
  body.EndObject();
  return std::move(body).Take();
}

Expected<Ask> ForkAsk(const std::string& id, std::string_view count) {
  std::int64_t number = 0;
  const auto [end, err] = std::from_chars(count.data(), count.data() + count.size(), number);
  if (err != std::errc() || end != count.data() + count.size())
    return Invalid("write: casemate session fork ID COUNT, with a whole number");
  JsonWriter body;
  body.BeginObject();
  body.Field("count", number);
  body.EndObject();
  return Ask{"POST", Target(id, "/fork"), std::move(body).Take()};
}

// `words` begin with the command; its number of words has been checked.
Expected<Ask> AskFor(const std::vector<std::string>& words) {
  const std::string& command = words[0];
  if (command == "list") return Ask{"GET", "/v1/sessions", ""};
  if (command == "open") return Ask{"POST", "/v1/sessions", words.size() > 1 ? words[1] : "{}"};
  const std::string& id = words[1];
  if (command == "run") return StepAsk(std::span(words).subspan(1));
  if (command == "show") return Ask{"GET", Target(id), ""};
  if (command == "close") return Ask{"DELETE", Target(id), ""};
  if (command == "interrupt") return Ask{"POST", Target(id, "/interrupt"), ""};
  // Which the engine refuses, and says why.
  if (command == "hibernate") return Ask{"POST", Target(id, "/hibernate"), ""};
  if (command == "fork") return ForkAsk(id, words.size() > 2 ? words[2] : "1");
  if (command == "checkpoint")
    return Ask{"POST", Target(id, "/checkpoints"), Object("name", words.size() > 2 ? words[2] : "")};
  if (command == "checkpoints") return Ask{"GET", Target(id, "/checkpoints"), ""};
  if (command == "rewind") return Ask{"POST", Target(id, "/rewind"), Object("checkpoint", words[2])};
  if (command == "drop")
    return Ask{"DELETE", Target(id, fmt::format("/checkpoints/{}", Escape(words[2]))), ""};
  if (command == "ls") return Ask{"GET", FileTarget(id, words.size() > 2 ? words[2] : "", "?list"), ""};
  if (command == "get") return Ask{"GET", FileTarget(id, words[2]), ""};
  if (command == "rm") return Ask{"DELETE", FileTarget(id, words[2]), ""};
  if (command == "mv")
    return Ask{"POST", FileTarget(id, words[2], fmt::format("?move_to={}", Escape(words[3]))), ""};
  auto bytes = Bytes(words[3]);
  if (!bytes) return std::unexpected(bytes.error());
  return Ask{"PUT", FileTarget(id, words[2]), *std::move(bytes)};
}

struct Command {
  std::string_view name;
  std::size_t least;  // words, its own included
  std::size_t most;
};
constexpr std::array kCommands = {
    Command{"open", 1, 2},       Command{"run", 3, 4},         Command{"interrupt", 2, 2},
    Command{"list", 1, 1},       Command{"show", 2, 2},        Command{"put", 4, 4},
    Command{"get", 3, 3},        Command{"ls", 2, 3},          Command{"mv", 4, 4},
    Command{"rm", 3, 3},         Command{"close", 2, 2},       Command{"fork", 2, 3},
    Command{"checkpoint", 2, 3}, Command{"checkpoints", 2, 2}, Command{"rewind", 3, 3},
    Command{"drop", 3, 3},       Command{"hibernate", 2, 2}};

Expected<void> Check(const std::vector<std::string>& words) {
  for (const Command& command : kCommands) {
    if (command.name != words[0]) continue;
    if (words.size() >= command.least && words.size() <= command.most) return {};
    return Invalid(
        fmt::format("casemate session {} takes other words: see casemate session --help", words[0]));
  }
  return Invalid(fmt::format("casemate session has no \"{}\": see casemate session --help", words[0]));
}

// A member of a JSON object that is a text; "" when there is none.
std::string TextAt(const std::string& body, std::string_view name) {
  std::string found;
  const auto json = ParseJson(body);
  if (!json) return found;
  const JsonTape tape(*json);
  (void)JsonField(tape, JsonTape::kRoot, "")
      .ForEachMember([&](const std::string& key, const JsonField& value) -> Expected<void> {
        if (key != name) return {};
        if (const auto text = value.String()) found = *text;
        return {};
      });
  return found;
}

// Of the sessions that a fork has made, a line each.
std::string IdsOf(const std::string& body) {
  std::string ids;
  const auto json = ParseJson(body);
  if (!json) return body;
  const JsonTape tape(*json);
  (void)JsonField(tape, JsonTape::kRoot, "")
      .ForEachMember([&](const std::string& /*key*/, const JsonField& sessions) {
        return sessions.ForEachElement([&](const JsonField& session) {
          return session.ForEachMember([&](const std::string& key, const JsonField& value) -> Expected<void> {
            if (key != "id") return {};
            if (const auto id = value.String()) ids += *id + "\n";
            return {};
          });
        });
      });
  return ids;
}

int PrintStep(const std::string& body, const CliStreams& streams) {
  const auto result = DecodeResult(body);
  if (!result) {
    WritePatiently(streams.err, ErrorLine(result.error(), StyleOf(streams.err, true)), -1);
    return kExitFailed;
  }
  WritePatiently(streams.out, result->stdout_text, -1);
  WritePatiently(streams.err, result->stderr_text, -1);
  if (result->status == Status::kOk && result->result)
    WritePatiently(streams.out, result->result->text() + "\n", -1);
  if (result->status != Status::kOk && result->error && result->stderr_text.empty()) {
    WritePatiently(streams.err,
                   ErrorLine({ErrorCode::kInternal, result->error->message, result->error->hint},
                             StyleOf(streams.err, true)),
                   -1);
  }
  return ExitCodeOf(*result, 0);
}

Expected<int> Act(const std::string& socket, const std::vector<std::string>& words, bool json,
                  const CliStreams& streams) {
  if (auto checked = Check(words); !checked) return std::unexpected(checked.error());
  auto ask = AskFor(words);
  if (!ask) return std::unexpected(ask.error());
  auto answer = http::AskAt(socket, ask->method, ask->target, ask->body);
  if (!answer) return std::unexpected(answer.error());
  if (answer->status >= 400) {
    const std::string detail = TextAt(answer->body, "detail");
    return Fail(ErrorCode::kUnavailable, detail.empty() ? answer->body.substr(0, 200) : detail);
  }
  if (words[0] == "run" && !json) return PrintStep(answer->body, streams);
  std::string text = std::move(answer->body);
  if ((words[0] == "open" || words[0] == "checkpoint") && !json) text = TextAt(text, "id") + "\n";
  if (words[0] == "fork" && !json) text = IdsOf(text);
  return WritePatiently(streams.out, text, -1) == 0 ? kExitOk : kExitFailed;
}

}  // namespace

int SessionCommandLine(const std::vector<std::string>& words, const CliStreams& streams) {
  std::vector<std::string> rest = words;
  const char* path =
      std::getenv("CASEMATE_SOCKET");  // NOLINT(concurrency-mt-unsafe): nothing here sets variables
  std::string socket = path != nullptr && *path != '\0' ? path : http::DefaultSocketPath();
  if (rest.size() >= 2 && rest[0] == "--engine") {
    socket = rest[1];
    rest.erase(rest.begin(), rest.begin() + 2);
  }
  if (rest.empty() || rest[0] == "--help" || rest[0] == "-h")
    return WritePatiently(streams.out, kHelp, -1) == 0 ? kExitOk : kExitFailed;
  const bool json = rest.size() > 1 && rest[1] == "--json";
  if (json) rest.erase(rest.begin() + 1);
  const auto code = Act(socket, rest, json, streams);
  if (code) return *code;
  WritePatiently(streams.err, ErrorLine(code.error(), StyleOf(streams.err, true)), -1);
  return kExitRefused;
}

}  // namespace casemate
