// Theory of operation: one thread reads lines and answers all but runs at once. Each run has a thread that
// calls the engine, an eventfd that cancels it, and an entry in calls_, which only the reading thread
// touches: it makes the entry, finds it when the client cancels, and joins the thread when it is done. One
// more thread, the outbox's, writes.
#include "surfaces/mcp/server.h"

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>
#include <system_error>

#include "base/utf8.h"
#include "batch/line_reader.h"
#include "model/json.h"
#include "model/json_fields.h"
#include "model/json_writer.h"
#include "model/request_json.h"
#include "surfaces/mcp/tools.h"

namespace casemate::mcp {
namespace {

// The newest first: what is offered to a client that asks for another one.
constexpr std::array<std::string_view, 2> kVersions = {"2025-06-18", "2025-03-26"};
constexpr std::string_view kInstructions =
    "run_python and run_command run in a fresh Linux sandbox without network, host files or memory of "
    "earlier "
    "calls: give the whole program each time. session_start, session_run and session_end keep one "
    "interpreter. "
    "Print, or assign to the variable result, what you want to see.";
// Of what a program prints, in one progress notification.
constexpr std::size_t kProgressBytesMax = 2048;

std::string InitializeResult(const std::optional<JsonText>& params) {
  std::string version(kVersions[0]);
  if (params) {
    const JsonTape tape(*params);
    const auto asked = FindMember(tape, JsonTape::kRoot, "protocolVersion");
    if (asked && tape.kind(*asked) == JsonTape::Kind::kString &&
        std::ranges::find(kVersions, tape.String(*asked)) != kVersions.end()) {
      version = tape.String(*asked);
    }
  }
  JsonWriter writer;
  writer.BeginObject();
  writer.Field("protocolVersion", version);
  writer.Key("capabilities");
  writer.BeginObject();
  writer.Key("tools");
  writer.BeginObject();
  writer.Field("listChanged", false);
  writer.EndObject();
  writer.EndObject();
  writer.Key("serverInfo");
  writer.BeginObject();
  writer.Field("name", "casemate");
  writer.Field("title", "Casemate");
  writer.Field("version", CASEMATE_VERSION);
  writer.EndObject();
  writer.Field("instructions", kInstructions);
  writer.EndObject();
  return std::move(writer).Take();
}

// The token, as JSON, under which a client wants to hear of a request's progress; "" for none.
std::string ProgressToken(const JsonText& params) {
  const JsonTape tape(params);
  const auto meta = FindMember(tape, JsonTape::kRoot, "_meta");
  const auto token = meta ? FindMember(tape, *meta, "progressToken") : std::nullopt;
  if (!token) return {};
  const auto kind = tape.kind(*token);
  const bool fits = kind == JsonTape::Kind::kString || kind == JsonTape::Kind::kNumber;
  return fits ? std::string(tape.raw(*token)) : std::string();
}

// Tells a client what its program prints, as it comes. What comes faster than it is read is dropped: the
// answer has all of it.
class Progress : public EventSink {
 public:
  // Nothing more is told once `cancelled`.
  Progress(Outbox& outbox, std::string token, const std::atomic<bool>& cancelled)
      : outbox_(outbox), token_(std::move(token)), cancelled_(cancelled) {}
  void OnEvent(const Event& event) override {
    if (const auto* out = std::get_if<StdoutEvent>(&event)) Tell(out->text);
    if (const auto* err = std::get_if<StderrEvent>(&event)) Tell(err->text);
  }

 private:
  void Tell(std::string_view text) {
    if (cancelled_) return;
    JsonWriter message;
    message.String(text.substr(0, kProgressBytesMax));
    outbox_.Offer(fmt::format(
        R"({{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{},"progress":{},"message":{}}}}})",
        token_, ++count_, message.text()));
  }

  Outbox& outbox_;
  const std::string token_;
  const std::atomic<bool>& cancelled_;
  int count_ = 0;
};

}  // namespace

Server::Server(Engine& engine, const CodeChecker& checker, ServerOptions options, int out_fd)
    : engine_(engine), checker_(checker), options_(std::move(options)), outbox_(out_fd) {}

Server::~Server() {
  for (Call& call : calls_) Cancel(call);
  for (Call& call : calls_) call.thread.join();
}

void Server::Handle(std::string_view line) {
  Reap();
  for (const ReadResult& message : ReadMessages(line)) {
    if (message) {
      HandleMessage(*message);
    } else {
      outbox_.Send(ErrorText(message.error()));
    }
  }
}

void Server::HandleMessage(const Message& message) {
  // Nothing is ever asked of the client.
  if (message.kind == Message::Kind::kResponse) return;
  if (message.kind == Message::Kind::kNotification) return HandleNotification(message);
  if (message.method == "tools/call") return CallTool(message);
  if (message.method == "initialize") {
    return outbox_.Send(ResponseText(message.id, InitializeResult(message.params)));
  }
  if (message.method == "ping") return outbox_.Send(ResponseText(message.id, "{}"));
  if (message.method == "tools/list") {
    return outbox_.Send(ResponseText(message.id, fmt::format(R"({{"tools":{}}})", ToolDefinitions())));
  }
  outbox_.Send(ErrorText({RpcCode::kMethodNotFound,
                          fmt::format("there is no method \"{}\"; known are initialize, ping, tools/list and "
                                      "tools/call",
                                      message.method.substr(0, 100)),
                          message.id}));
}

void Server::HandleNotification(const Message& message) {
  if (message.method != "notifications/cancelled" || !message.params) return;
  const JsonTape tape(*message.params);
  const auto id = FindMember(tape, JsonTape::kRoot, "requestId");
  if (!id) return;
  const auto call = std::ranges::find(calls_, tape.text(*id), &Call::id);
  if (call == calls_.end()) return;
  call->cancelled = true;
  Cancel(*call);
}

void Server::CallTool(const Message& message) {
  const auto refuse = [&](std::string why) {
    outbox_.Send(ErrorText({RpcCode::kInvalidParams, std::move(why), message.id}));
  };
  if (!message.params) return refuse("tools/call needs \"params\" with the tool's \"name\"");
  const JsonTape tape(*message.params);
  const auto name = FindMember(tape, JsonTape::kRoot, "name");
  if (!name || tape.kind(*name) != JsonTape::Kind::kString)
    return refuse("tools/call needs the tool's \"name\"");
  const std::string tool = tape.String(*name);
  const auto found = FindTool(tool);
  if (!found) {
    return refuse(fmt::format("there is no tool \"{}\": tools/list has them", tool.substr(0, 100)));
  }
  const auto node = FindMember(tape, JsonTape::kRoot, "arguments");
  const std::string_view text = node ? tape.text(*node) : "{}";
  const auto arguments = ParseJson(text, {text.size(), kJsonDepthCeiling});
  if (!arguments || !text.starts_with('{')) return refuse("\"arguments\" must be an object");

  auto read = ReadArguments(*found, *arguments, options_.base);
  if (!read) return outbox_.Send(ResponseText(message.id, RefusalAnswer(read.error().message)));
  if (*found == Tool::kCheckCode) {
    return outbox_.Send(ResponseText(message.id, CheckAnswer(checker_.Check(*read->request.code))));
  }
  Start(message, WorkOf(*found, *std::move(read)));
}

Server::Work Server::WorkOf(Tool tool, ToolArguments arguments) {
  if (tool == Tool::kRunPython || tool == Tool::kRunCommand) {
    return [this, arguments = std::move(arguments)](EventSink* sink, int cancel_fd) {
      return RunAnswer(engine_.Execute(arguments.request, sink, cancel_fd));
    };
  }
  return [this, tool, arguments = std::move(arguments)](EventSink* sink, int cancel_fd) {
    Sessions* sessions = engine_.sessions();
    if (sessions == nullptr) return RefusalAnswer("there are no sessions here: use run_python");
    if (tool == Tool::kSessionStart) {
      SessionOptions options;
      options.base = arguments.request;
      const auto opened = sessions->Open(options);
      return opened ? SessionAnswer(*opened) : RefusalAnswer(opened.error().message);
    }
    if (tool == Tool::kSessionEnd) {
      const auto closed = sessions->Close(arguments.session_id);
      return closed ? EndAnswer() : RefusalAnswer(closed.error().message);
    }
    const auto result = sessions->Run(arguments.session_id, arguments.request, sink, cancel_fd, false);
    return result ? RunAnswer(*result) : RefusalAnswer(result.error().message);
  };
}

void Server::Start(const Message& message, Work work) {
  if (std::ranges::find(calls_, message.id, &Call::id) != calls_.end()) {
    return outbox_.Send(
        ErrorText({RpcCode::kInvalidRequest, "a request with this \"id\" is under way", message.id}));
  }
  if (calls_.size() >= options_.calls_max) {
    return outbox_.Send(ResponseText(
        message.id,
        RefusalAnswer("too many programs run at this moment: wait for one to end, and try again")));
  }
  Call& call = calls_.emplace_back();
  call.id = message.id;
  call.cancel.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  try {
    call.thread = std::thread([this, &call, token = ProgressToken(*message.params), work = std::move(work)] {
      Progress progress(outbox_, token, call.cancelled);
      const std::string answer = work(token.empty() ? nullptr : &progress, call.cancel.get());
      // First: whoever has the answer may send the next request at once. Reap() waits for this thread's end.
      call.done = true;
      // Who has cancelled a request expects no answer.
      if (!call.cancelled) outbox_.Send(ResponseText(call.id, answer));
    });
  } catch (const std::system_error&) {
    outbox_.Send(ResponseText(
        call.id, RefusalAnswer("this host has no thread left for another program: try again soon")));
    calls_.pop_back();
  }
}

void Server::Reap() {
  std::erase_if(calls_, [](Call& call) {
    if (!call.done) return false;
    call.thread.join();
    return true;
  });
}

void Server::Cancel(Call& call) {
  const std::uint64_t one = 1;
  (void)!::write(call.cancel.get(), &one, sizeof one);
}

Expected<void> Serve(Server& server, int in_fd, int stop_fd) {
  LineReader reader(in_fd, "stdin", kRequestBytesMax, stop_fd);
  for (;;) {
    const auto line = reader.Next();
    if (!line) return std::unexpected(line.error());
    if (!*line) return {};
    const std::string_view text = (*line)->text;
    if (text.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    // What is cut is no JSON, and is answered as such.
    server.Handle(text);
  }
}

}  // namespace casemate::mcp
