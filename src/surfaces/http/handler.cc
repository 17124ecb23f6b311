#include "surfaces/http/handler.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/clock.h"
#include "surfaces/http/audit_routes.h"
#include "surfaces/http/batch_routes.h"
#include "surfaces/http/environment_routes.h"
#include "surfaces/http/info_routes.h"
#include "surfaces/http/run_routes.h"
#include "surfaces/http/session_routes.h"
#include "surfaces/http/target.h"
#include "surfaces/http/tool_routes.h"

namespace casemate::http {
namespace {

// A place of a key's quota, for as long as it lives.
class Place {
 public:
  Place(KeyUsage& usage, const ApiKey* key) : usage_(usage), key_(key) {}
  ~Place() {
    if (key_ != nullptr) usage_.End(key_->id);
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

 private:
  KeyUsage& usage_;
  const ApiKey* key_;
};

// The name or address of this host itself: a page that a browser shows cannot take these for its own name.
bool IsLoopbackHost(std::string_view host) {
  return std::ranges::any_of(
      std::array<std::string_view, 3>{"127.0.0.1", "localhost", "[::1]"}, [host](std::string_view name) {
        return host == name || (host.starts_with(name) && host.substr(name.size()).starts_with(':'));
      });
}

Answer NotThere(std::string_view path) {
  return ErrorAnswer(
      404, "not_found",
      fmt::format("there is nothing at {}: GET /openapi.json lists what there is", path.substr(0, 200)));
}

}  // namespace

Handler::Handler(Engine& engine, std::string version, std::function<std::string()> metrics,
                 HandlerOptions options)
    : options_(std::move(options)), keys_(options_.state_dir), runs_(engine, usage_, options_.runs) {
  router_.Add(RunRoutes(runs_));
  router_.Add(BatchRoutes(runs_));
  router_.Add(SessionRoutes(runs_));
  router_.Add(EnvironmentRoutes(runs_, options_.state_dir));
  router_.Add(ToolRoutes());
  router_.Add(AuditRoutes(options_.state_dir));
  router_.Add(InfoRoutes({engine, runs_, std::move(version), std::move(metrics)}));
}

void Handler::Handle(const Request& given, Reply& reply) {
  Request request = given;
  const std::size_t question = request.target.find('?');
  request.path = request.target.substr(0, question);
  if (question != std::string_view::npos) request.query = request.target.substr(question + 1);
  AddCors(request, reply);
  if (Preflight(request, reply)) return;

  const Route* route = router_.Find(request.method, request.path, request.host, request.params);
  if (route == nullptr) {
    const std::string allowed = router_.Allowed(request.path, request.host);
    if (allowed.empty()) return reply.Send(NotThere(request.path));
    Answer answer = ErrorAnswer(405, "method_not_allowed", fmt::format("use {}", allowed));
    answer.allow = allowed;
    return reply.Send(answer);
  }
  if (!LetIn(*route, request, reply)) return;
  if (request.key) {
    if (const auto over = usage_.Begin(*request.key, WallClockUs())) {
      reply.AddField("Retry-After", fmt::format("{}", over->retry_after_s));
      return reply.Send(ErrorAnswer(429, "too_many_requests", over->message));
    }
  }
  const Place place(usage_, request.key.get());
  route->handler(request, reply);
}

void Handler::AddCors(const Request& request, Reply& reply) const {
  const std::string_view origin = request.field("Origin");
  if (origin.empty() || options_.cors_origins.empty()) return;
  reply.AddField("Vary", "Origin");
  const bool all = std::ranges::find(options_.cors_origins, "*") != options_.cors_origins.end();
  if (!all && std::ranges::find(options_.cors_origins, origin) == options_.cors_origins.end()) return;
  reply.AddField("Access-Control-Allow-Origin", all ? "*" : origin);
  reply.AddField("Access-Control-Expose-Headers", "Retry-After");
}

bool Handler::Preflight(const Request& request, Reply& reply) const {
  if (request.method != "OPTIONS" || request.field("Access-Control-Request-Method").empty()) return false;
  const std::string allowed = router_.Allowed(request.path, request.host);
  if (allowed.empty()) return false;
  if (!options_.cors_origins.empty()) {
    reply.AddField("Access-Control-Allow-Methods", allowed);
    reply.AddField("Access-Control-Allow-Headers", "Authorization, Content-Type, Idempotency-Key, Accept");
    reply.AddField("Access-Control-Max-Age", "600");
  }
  Answer answer;
  answer.status = 204;
  reply.Send(answer);
  return true;
}

bool Handler::LetIn(const Route& route, Request& request, Reply& reply) {
  if (request.trusted) {
    request.scopes = Scopes::All();
    return true;
  }
  if (route.scope == Scope::kNone) return true;
  const std::string_view token = BearerToken(request.field("Authorization"));
  if (token.empty() && options_.let_in_without_key) return LetInWithoutKey(request, reply);
  auto key = keys_.Find(token, WallClockUs());
  if (!key) {
    reply.Send(ErrorAnswer(503, "unavailable", "the keys of this engine cannot be read: ask its operator"));
    return false;
  }
  if (*key == nullptr) {
    reply.AddField("WWW-Authenticate", "Bearer realm=\"casemate\"");
    reply.Send(ErrorAnswer(401, "unauthorized",
                           token.empty() ? "a key is needed: send Authorization: Bearer KEY"
                                         : "this key is unknown, revoked or expired: use another"));
    return false;
  }
  if (!(*key)->scopes.Has(route.scope)) {
    reply.Send(
        ErrorAnswer(403, "forbidden",
                    fmt::format("this key lacks the scope {}: use one that has it", ScopeName(route.scope))));
    return false;
  }
  request.key = *std::move(key);
  request.scopes = request.key->scopes;
  request.caller = "key:" + request.key->id;
  return true;
}

// Without keys, a web page that this host's user looks at could send requests too; a browser says so in
// Origin, or, where the page's name was made to mean this host, in Host.
bool Handler::LetInWithoutKey(Request& request, Reply& reply) const {
  const std::string_view origin = request.field("Origin");
  const bool page =
      !origin.empty() && std::ranges::find(options_.cors_origins, origin) == options_.cors_origins.end();
  if (page || (options_.on_loopback && !IsLoopbackHost(request.host))) {
    reply.Send(
        ErrorAnswer(403, "forbidden",
                    "without a key no web page is served, nor who calls this host by a name that is not "
                    "localhost: make a key with casemate keys add"));
    return false;
  }
  request.scopes = Scopes::All();
  return true;
}

}  // namespace casemate::http
