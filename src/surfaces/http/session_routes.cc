#include "surfaces/http/session_routes.h"

#include <optional>
#include <string>
#include <utility>

#include "model/json_writer.h"
#include "model/request_json.h"
#include "model/result_json.h"
#include "model/session_json.h"
#include "surfaces/http/event_lines.h"

namespace casemate::http {
namespace {

constexpr std::string_view kRoot = "/v1/sessions";

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// RFC 3986, 2.1; nullopt for a "%" that is none.
std::optional<std::string> Decode(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const int high = HexDigit(text[i + 1]);
    const int low = HexDigit(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    decoded += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return decoded;
}

Answer ProblemOf(const Error& error) {
  switch (error.code) {
    case ErrorCode::kInvalidRequest:
      return ProblemAnswer(400, ErrorCodeName(error.code), error.ToString());
    case ErrorCode::kNotFound:
      return ProblemAnswer(404, ErrorCodeName(error.code), error.ToString());
    case ErrorCode::kUnavailable:
      return ProblemAnswer(409, ErrorCodeName(error.code), error.ToString());
    case ErrorCode::kCancelled:
    case ErrorCode::kInternal:
      break;
  }
  return ProblemAnswer(500, ErrorCodeName(error.code), error.ToString());
}

Answer JsonAnswer(int status, JsonWriter writer) {
  Answer answer;
  answer.status = status;
  answer.body = std::move(writer).Take() + "\n";
  return answer;
}

Answer SessionAnswer(int status, const SessionInfo& info) {
  JsonWriter writer;
  WriteSession(writer, info);
  return JsonAnswer(status, std::move(writer));
}

Answer Nothing(int status) {
  Answer answer;
  answer.status = status;
  return answer;
}

Answer DoneAnswer(const Expected<void>& done, int status) {
  return done ? Nothing(status) : ProblemOf(done.error());
}

Answer WrongMethod(std::string_view allowed) {
  Answer answer = ProblemAnswer(405, "method_not_allowed", "use " + std::string(allowed));
  answer.allow = allowed;
  return answer;
}

void SetOrigin(const Request& request, ExecutionRequest& execution) {
  execution.origin.surface = "http";
  execution.origin.caller = request.caller;
  execution.origin.trace_parent = request.trace_parent;
}

Answer Open(Sessions& sessions, const Request& request) {
  auto options = DecodeSessionOptions(request.body);
  if (!options) return ProblemOf(options.error());
  SetOrigin(request, options->base);
  const auto opened = sessions.Open(*options);
  if (opened) return SessionAnswer(201, *opened);
  Answer answer = ProblemOf(opened.error());
  if (opened.error().code == ErrorCode::kUnavailable)
    answer = ProblemAnswer(503, ErrorCodeName(opened.error().code), opened.error().ToString());
  return answer;
}

Answer List(Sessions& sessions) {
  JsonWriter writer;
  writer.BeginObject();
  writer.Key("sessions");
  writer.BeginArray();
  for (const SessionInfo& info : sessions.List()) WriteSession(writer, info);
  writer.EndArray();
  writer.EndObject();
  return JsonAnswer(200, std::move(writer));
}

// The stream begins with the step's first event, so that a step which there is not is a problem like others.
class LateEventLines : public EventSink {
 public:
  explicit LateEventLines(Reply& reply) : reply_(reply), lines_(reply) {}
  void OnEvent(const Event& event) override {
    if (!std::exchange(begun_, true)) reply_.BeginStream(kEventsType);
    lines_.OnEvent(event);
  }

 private:
  Reply& reply_;
  EventLines lines_;
  bool begun_ = false;
};

void Run(Sessions& sessions, const std::string& id, const Request& request, Reply& reply) {
  auto decoded = DecodeRequest(request.body);
  if (!decoded) return reply.Send(ProblemOf(decoded.error()));
  SetOrigin(request, *decoded);
  if (request.accept.find(kEventsType) != std::string_view::npos) {
    LateEventLines lines(reply);
    const auto result = sessions.Run(id, *decoded, &lines, reply.hang_up_fd(), true);
    return result ? reply.EndStream() : reply.Send(ProblemOf(result.error()));
  }
  const auto result = sessions.Run(id, *decoded, nullptr, reply.hang_up_fd(), true);
  if (!result) return reply.Send(ProblemOf(result.error()));
  Answer answer;
  answer.body = EncodeResult(*result);
  answer.body += '\n';
  reply.Send(answer);
}

// What the method and the query ask of a file; nullopt: there is no such thing.
std::optional<FileRequest> AskedOfFile(const Request& request, std::string_view query) {
  FileRequest asked;
  if (request.method == "PUT" && query.empty()) {
    asked.kind = FileRequest::Kind::kPut;
    asked.bytes = request.body;
  } else if (request.method == "DELETE" && query.empty()) {
    asked.kind = FileRequest::Kind::kRemove;
  } else if (request.method == "POST" && query.starts_with("move_to=")) {
    asked.kind = FileRequest::Kind::kMove;
    auto to = Decode(query.substr(8));
    if (!to) return std::nullopt;
    asked.to = *std::move(to);
  } else if (request.method == "GET" && query.empty()) {
    asked.kind = FileRequest::Kind::kGet;
  } else if (request.method == "GET" && query == "list") {
    asked.kind = FileRequest::Kind::kList;
  } else if (request.method == "GET" && query == "stat") {
    asked.kind = FileRequest::Kind::kStat;
  } else {
    return std::nullopt;
  }
  return asked;
}

Answer UseFile(Sessions& sessions, const std::string& id, std::string_view path, std::string_view query,
               const Request& request) {
  auto asked = AskedOfFile(request, query);
  auto decoded = Decode(path);
  if (!asked || !decoded) {
    return ProblemAnswer(400, "invalid_request",
                         "known are PUT, GET and DELETE of a file, GET with ?list or ?stat, and POST with "
                         "?move_to=PATH");
  }
  asked->path = *std::move(decoded);
  auto done = sessions.Files(id, *asked);
  if (!done) return ProblemOf(done.error());
  JsonWriter writer;
  switch (asked->kind) {
    case FileRequest::Kind::kGet: {
      Answer answer;
      answer.content_type = "application/octet-stream";
      answer.body = std::move(done->bytes);
      return answer;
    }
    case FileRequest::Kind::kList:
      writer.BeginObject();
      writer.Key("entries");
      writer.BeginArray();
      for (const FileInfo& entry : done->entries) WriteFileInfo(writer, entry);
      writer.EndArray();
      writer.EndObject();
      return JsonAnswer(200, std::move(writer));
    case FileRequest::Kind::kStat:
      WriteFileInfo(writer, done->entries.front());
      return JsonAnswer(200, std::move(writer));
    case FileRequest::Kind::kPut:
    case FileRequest::Kind::kMove:
    case FileRequest::Kind::kRemove:
      break;
  }
  return Nothing(204);
}

// What a session cannot; "" for anything else.
std::string_view WhyNot(std::string_view what) {
  if (what == "fork" || what == "checkpoints" || what == "rewind") {
    return "there is no fork, checkpoint or rewind of a session: a copy would be in its origin's power, since the "
           "origin's user owns the copy's namespaces; open a session for each branch and run its steps again";
  }
  if (what == "hibernate") {
    return "a session cannot hibernate: its memory and its filter's listener cannot be put back from a disk; keep "
           "what matters in files, and get them before the engine ends";
  }
  return "";
}

Answer UseSession(Sessions& sessions, const std::string& id, const Request& request) {
  if (request.method == "DELETE") return DoneAnswer(sessions.Close(id), 204);
  if (request.method != "GET") return WrongMethod("GET, DELETE");
  const auto info = sessions.Get(id);
  return info ? SessionAnswer(200, *info) : ProblemOf(info.error());
}

}  // namespace

Answer ProblemAnswer(int status, std::string_view code, std::string_view detail) {
  JsonWriter writer;
  writer.BeginObject();
  writer.Field("type", "about:blank");
  writer.Field("title", code);
  writer.Field("status", status);
  writer.Field("code", code);
  writer.Field("detail", detail);
  writer.EndObject();
  Answer answer = JsonAnswer(status, std::move(writer));
  answer.content_type = "application/problem+json";
  return answer;
}

bool IsSessionPath(std::string_view path) {
  return path.starts_with(kRoot) && (path.size() == kRoot.size() || path[kRoot.size()] == '/');
}

void HandleSession(Sessions* sessions, const Request& request, Reply& reply) {
  if (sessions == nullptr)
    return reply.Send(
        ProblemAnswer(503, "unavailable", "this engine keeps no sessions: casemate serve does"));
  const std::size_t question = request.target.find('?');
  const std::string_view path = request.target.substr(0, question);
  const std::string_view query =
      question == std::string_view::npos ? std::string_view() : request.target.substr(question + 1);
  std::string_view rest = path.substr(kRoot.size());
  if (rest.empty()) {
    if (request.method == "POST") return reply.Send(Open(*sessions, request));
    return reply.Send(request.method == "GET" ? List(*sessions) : WrongMethod("GET, POST"));
  }
  rest.remove_prefix(1);
  const std::size_t slash = rest.find('/');
  const std::string id(rest.substr(0, slash));
  if (slash == std::string_view::npos) return reply.Send(UseSession(*sessions, id, request));
  const std::string_view what = rest.substr(slash + 1);
  if (what == "files" || what.starts_with("files/"))
    return reply.Send(
        UseFile(*sessions, id, what.substr(std::min<std::size_t>(6, what.size())), query, request));
  if (const std::string_view reason = WhyNot(what); !reason.empty())
    return reply.Send(ProblemAnswer(501, "unavailable", reason));
  if (what != "run" && what != "interrupt")
    return reply.Send(ProblemAnswer(404, "not_found", "a session has run, interrupt and files"));
  if (request.method != "POST") return reply.Send(WrongMethod("POST"));
  if (what == "run") return Run(*sessions, id, request, reply);
  reply.Send(DoneAnswer(sessions->Interrupt(id), 202));
}

}  // namespace casemate::http
