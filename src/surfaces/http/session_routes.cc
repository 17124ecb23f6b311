#include "surfaces/http/session_routes.h"

#include <optional>
#include <string>
#include <utility>

#include "casemate/session.h"
#include "casemate/session_branches.h"
#include "casemate/session_contexts.h"
#include "model/json_fields.h"
#include "model/json_writer.h"
#include "model/request_json.h"
#include "model/result_json.h"
#include "model/session_json.h"
#include "surfaces/http/event_stream.h"
#include "surfaces/http/file_watch.h"
#include "surfaces/http/target.h"

namespace casemate::http {
namespace {

constexpr std::string_view kMoveTo = "move_to=";

constexpr std::string_view kNoHibernation =
    "a session cannot hibernate, since what the kernel holds of it, such as its filter's listener, cannot be "
    "put back from a disk: keep what matters in files and get them before the engine ends, or make a "
    "checkpoint, which lives as long as the session";

Answer ProblemOf(const Error& error) {
  // A session that is there and cannot now, by what its peer or the program did.
  if (error.code == ErrorCode::kUnavailable) return ErrorAnswer(409, "conflict", error.ToString());
  return ErrorAnswer(error);
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

Answer DoneAnswer(const Expected<void>& done, int status) {
  if (!done) return ProblemOf(done.error());
  Answer answer;
  answer.status = status;
  return answer;
}

bool MaySee(const Request& asked, const std::string& caller) {
  return asked.scopes.Has(Scope::kAdmin) || caller == asked.caller;
}

void SetOrigin(const Request& asked, ExecutionRequest& execution) {
  execution.origin.surface = "http";
  execution.origin.caller = asked.caller;
  if (!asked.trace_parent.empty()) execution.origin.trace_parent = asked.trace_parent;
  if (!asked.trace_state.empty()) execution.origin.trace_state = asked.trace_state;
}

void Open(Runs& runs, Sessions& sessions, const Request& asked, Reply& reply) {
  auto options = DecodeSessionOptions(asked.body);
  if (!options) return reply.Send(ErrorAnswer(options.error()));
  const auto place = runs.Enter(asked, options->base);
  if (!place) return SendRefusal(place.error(), reply);
  SetOrigin(asked, options->base);
  const auto opened = sessions.Open(*options);
  reply.Send(opened ? SessionAnswer(201, *opened) : ErrorAnswer(opened.error()));
}

void List(Runs& /*runs*/, Sessions& sessions, const Request& asked, Reply& reply) {
  JsonWriter writer;
  writer.BeginObject();
  writer.Key("sessions");
  writer.BeginArray();
  for (const SessionInfo& info : sessions.List()) {
    if (MaySee(asked, info.caller)) WriteSession(writer, info);
  }
  writer.EndArray();
  writer.EndObject();
  reply.Send(JsonAnswer(200, std::move(writer)));
}

void Show(Runs& /*runs*/, Sessions& sessions, const Request& asked, Reply& reply) {
  const auto info = sessions.Get(asked.params[0]);
  reply.Send(info ? SessionAnswer(200, *info) : ProblemOf(info.error()));
}

void Close(Runs& /*runs*/, Sessions& sessions, const Request& asked, Reply& reply) {
  reply.Send(DoneAnswer(sessions.Close(asked.params[0]), 204));
}

void Interrupt(Runs& /*runs*/, Sessions& sessions, const Request& asked, Reply& reply) {
  reply.Send(DoneAnswer(sessions.Interrupt(asked.params[0]), 202));
}

// The stream begins with the step's first event, so that a step which there is not is a problem like others.
class LateEventStream : public EventSink {
 public:
  LateEventStream(Reply& reply, StreamForm form) : stream_(reply, form) {}
  void OnEvent(const Event& event) override {
    if (!std::exchange(begun_, true)) stream_.Begin();
    stream_.OnEvent(event);
  }
  void End() { stream_.End(); }

 private:
  EventStream stream_;
  bool begun_ = false;
};

void Run(Runs& runs, Sessions& sessions, const Request& asked, Reply& reply) {
  std::string context;
  auto decoded = DecodeRequest(asked.body,
                               [&context](const std::string& name, const JsonField& value) -> Expected<bool> {
                                 if (name != "context") return false;
                                 auto text = value.String();
                                 if (!text) return std::unexpected(text.error());
                                 context = *std::move(text);
                                 return true;
                               });
  if (!decoded) return reply.Send(ErrorAnswer(decoded.error()));
  const auto place = runs.Enter(asked, *decoded);
  if (!place) return SendRefusal(place.error(), reply);
  SetOrigin(asked, *decoded);
  const auto step = [&](EventSink* sink) {
    auto* const contexts = dynamic_cast<SessionContexts*>(&sessions);
    return contexts != nullptr
               ? contexts->RunIn(asked.params[0], context, *decoded, sink, reply.hang_up_fd(), true)
               : Fail(ErrorCode::kUnavailable, "this engine's sessions have no contexts");
  };
  if (const auto form = AcceptedForm(asked.accept)) {
    LateEventStream stream(reply, *form);
    const auto result = step(&stream);
    return result ? stream.End() : reply.Send(ProblemOf(result.error()));
  }
  const auto result = step(nullptr);
  if (!result) return reply.Send(ProblemOf(result.error()));
  Answer answer;
  answer.body = EncodeResult(*result);
  answer.body += '\n';
  reply.Send(answer);
}

// What the method and the query ask of a file; nullopt: there is no such thing.
std::optional<FileRequest> AskedOfFile(const Request& asked) {
  FileRequest request;
  if (asked.method == "PUT" && asked.query.empty()) {
    request.kind = FileRequest::Kind::kPut;
    request.bytes = asked.body;
  } else if (asked.method == "DELETE" && asked.query.empty()) {
    request.kind = FileRequest::Kind::kRemove;
  } else if (asked.method == "POST" && asked.query.starts_with(kMoveTo)) {
    request.kind = FileRequest::Kind::kMove;
    auto to = DecodePercent(asked.query.substr(kMoveTo.size()));
    if (!to) return std::nullopt;
    request.to = *std::move(to);
  } else if (asked.method == "GET" && asked.query.empty()) {
    request.kind = FileRequest::Kind::kGet;
  } else if (asked.method == "GET" && asked.query == "list") {
    request.kind = FileRequest::Kind::kList;
  } else if (asked.method == "GET" && asked.query == "stat") {
    request.kind = FileRequest::Kind::kStat;
  } else {
    return std::nullopt;
  }
  if (asked.params.size() > 1) request.path = asked.params[1];
  return request;
}

Answer FileAnswerOf(FileRequest::Kind kind, FileAnswer done) {
  JsonWriter writer;
  Answer answer;
  switch (kind) {
    case FileRequest::Kind::kGet:
      answer.content_type = "application/octet-stream";
      answer.body = std::move(done.bytes);
      return answer;
    case FileRequest::Kind::kList:
      writer.BeginObject();
      writer.Key("entries");
      writer.BeginArray();
      for (const FileInfo& entry : done.entries) WriteFileInfo(writer, entry);
      writer.EndArray();
      writer.EndObject();
      return JsonAnswer(200, std::move(writer));
    case FileRequest::Kind::kStat:
      WriteFileInfo(writer, done.entries.front());
      return JsonAnswer(200, std::move(writer));
    case FileRequest::Kind::kPut:
    case FileRequest::Kind::kMove:
    case FileRequest::Kind::kRemove:
      break;
  }
  answer.status = 204;
  return answer;
}

void UseFile(Runs& runs, Sessions& sessions, const Request& asked, Reply& reply) {
  if (asked.method == "GET" && asked.query == "watch")
    return WatchFiles(runs, sessions, asked, asked.params.size() > 1 ? asked.params[1] : "", reply);
  const auto request = AskedOfFile(asked);
  if (!request) {
    return reply.Send(
        ErrorAnswer(400, "invalid_request",
                    "known are PUT, GET and DELETE of a file, GET with ?list, ?stat or ?watch, and POST with "
                    "?move_to=PATH"));
  }
  auto done = sessions.Files(asked.params[0], *request);
  if (!done) return reply.Send(ProblemOf(done.error()));
  reply.Send(FileAnswerOf(request->kind, std::move(*done)));
}

void Fork(Runs& runs, SessionBranches& sessions, const Request& asked, Reply& reply) {
  const auto options = DecodeForkOptions(asked.body);
  if (!options) return reply.Send(ErrorAnswer(options.error()));
  ExecutionRequest nothing;
  const auto place = runs.Enter(asked, nothing);
  if (!place) return SendRefusal(place.error(), reply);
  const auto forked = sessions.Fork(asked.params[0], *options);
  if (!forked) return reply.Send(ProblemOf(forked.error()));
  JsonWriter writer;
  writer.BeginObject();
  writer.Key("sessions");
  writer.BeginArray();
  for (const SessionInfo& info : *forked) WriteSession(writer, info);
  writer.EndArray();
  writer.EndObject();
  reply.Send(JsonAnswer(201, std::move(writer)));
}

void MakeCheckpoint(Runs& runs, SessionBranches& sessions, const Request& asked, Reply& reply) {
  const auto name = DecodeCheckpointName(asked.body);
  if (!name) return reply.Send(ErrorAnswer(name.error()));
  ExecutionRequest nothing;
  const auto place = runs.Enter(asked, nothing);
  if (!place) return SendRefusal(place.error(), reply);
  const auto made = sessions.Checkpoint(asked.params[0], *name);
  if (!made) return reply.Send(ProblemOf(made.error()));
  JsonWriter writer;
  WriteCheckpoint(writer, *made);
  reply.Send(JsonAnswer(201, std::move(writer)));
}

void ListCheckpoints(Runs& /*runs*/, SessionBranches& sessions, const Request& asked, Reply& reply) {
  const auto all = sessions.Checkpoints(asked.params[0]);
  if (!all) return reply.Send(ProblemOf(all.error()));
  JsonWriter writer;
  writer.BeginObject();
  writer.Key("checkpoints");
  writer.BeginArray();
  for (const CheckpointInfo& info : *all) WriteCheckpoint(writer, info);
  writer.EndArray();
  writer.EndObject();
  reply.Send(JsonAnswer(200, std::move(writer)));
}

void DropCheckpoint(Runs& /*runs*/, SessionBranches& sessions, const Request& asked, Reply& reply) {
  reply.Send(DoneAnswer(sessions.DropCheckpoint(asked.params[0], asked.params[1]), 204));
}

void Rewind(Runs& runs, SessionBranches& sessions, const Request& asked, Reply& reply) {
  const auto checkpoint = DecodeRewind(asked.body);
  if (!checkpoint) return reply.Send(ErrorAnswer(checkpoint.error()));
  ExecutionRequest nothing;
  const auto place = runs.Enter(asked, nothing);
  if (!place) return SendRefusal(place.error(), reply);
  const auto rewound = sessions.Rewind(asked.params[0], *checkpoint);
  reply.Send(rewound ? SessionAnswer(200, *rewound) : ProblemOf(rewound.error()));
}

RouteHandler Refuses(std::string_view reason) {
  return [reason](const Request& /*asked*/, Reply& reply) {
    reply.Send(ErrorAnswer(501, "not_implemented", reason));
  };
}

}  // namespace

std::vector<Route> SessionRoutes(Runs& runs) {
  // The sessions of this engine, if it keeps any, and of them those that the peer may see.
  const auto with = [&runs](auto handle) {
    return [&runs, handle](const Request& asked, Reply& reply) {
      Sessions* sessions = runs.engine().sessions();
      if (sessions == nullptr) {
        return reply.Send(
            ErrorAnswer(503, "unavailable", "this engine keeps no sessions: casemate serve does"));
      }
      if (!asked.params.empty()) {
        const auto caller = sessions->CallerOf(asked.params[0]);
        if (caller && !MaySee(asked, *caller)) {
          return reply.Send(
              ErrorAnswer(404, "not_found", "there is no such session: GET /v1/sessions lists yours"));
        }
      }
      handle(runs, *sessions, asked, reply);
    };
  };
  // The same for what copies them.
  const auto branching = [with](auto handle) {
    return with([handle](Runs& all, Sessions& sessions, const Request& asked, Reply& reply) {
      auto* const branches = dynamic_cast<SessionBranches*>(&sessions);
      if (branches == nullptr)
        return reply.Send(ErrorAnswer(503, "unavailable", "this engine's sessions cannot be copied"));
      handle(all, *branches, asked, reply);
    });
  };
  std::vector<Route> routes = {
      {"POST", "/v1/sessions", Scope::kSessions, with(Open)},
      {"GET", "/v1/sessions", Scope::kSessions, with(List)},
      {"GET", "/v1/sessions/{id}", Scope::kSessions, with(Show)},
      {"DELETE", "/v1/sessions/{id}", Scope::kSessions, with(Close)},
      {"POST", "/v1/sessions/{id}/run", Scope::kSessions, with(Run)},
      {"POST", "/v1/sessions/{id}/interrupt", Scope::kSessions, with(Interrupt)},
      {"POST", "/v1/sessions/{id}/fork", Scope::kSessions, branching(Fork)},
      {"POST", "/v1/sessions/{id}/checkpoints", Scope::kSessions, branching(MakeCheckpoint)},
      {"GET", "/v1/sessions/{id}/checkpoints", Scope::kSessions, branching(ListCheckpoints)},
      {"DELETE", "/v1/sessions/{id}/checkpoints/{checkpoint}", Scope::kSessions, branching(DropCheckpoint)},
      {"POST", "/v1/sessions/{id}/rewind", Scope::kSessions, branching(Rewind)},
      {"POST", "/v1/sessions/{id}/hibernate", Scope::kSessions, Refuses(kNoHibernation)},
      {"GET", "/v1/sessions/{id}/files", Scope::kSessions, with(UseFile)},
  };
  for (const std::string_view method : {"PUT", "GET", "POST", "DELETE"}) {
    routes.push_back({method, "/v1/sessions/{id}/files/{path...}", Scope::kSessions, with(UseFile)});
  }
  return routes;
}

}  // namespace casemate::http
