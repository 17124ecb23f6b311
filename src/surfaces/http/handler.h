#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "casemate/engine.h"
#include "keys/key_store.h"
#include "keys/key_usage.h"
#include "surfaces/http/exchange.h"
#include "surfaces/http/router.h"
#include "surfaces/http/runs.h"

namespace casemate::http {

// What a handler asks of those it does not know, and tells to browsers.
struct HandlerOptions {
  std::string state_dir;                  // where the keys are
  bool let_in_without_key = false;        // INSECURE: whoever reaches the address may do everything
  bool on_loopback = true;                // such a peer must call this host by a loopback name
  std::vector<std::string> cors_origins;  // whose pages may read the answers; "*" for all; none by default
  RunLimits runs;
};

// The API, whatever carries it: who may, which route, and the answer of last resort. docs/http.md tells what
// the routes are; each group of them has a file of its own (*_routes.h). What is no result is a problem
// details object (ErrorAnswer). Thread-safe.
class Handler {
 public:
  // `engine` must outlive it. `metrics` makes the text of /metrics; none: there is no such thing here.
  Handler(Engine& engine, std::string version, std::function<std::string()> metrics = nullptr,
          HandlerOptions options = {});

  // Further routes; before the first request.
  void Add(std::vector<Route> routes) { router_.Add(std::move(routes)); }
  const Router& router() const { return router_; }
  KeyStore& keys() { return keys_; }

  void Handle(const Request& given, Reply& reply);

  // From now on runs are refused with 503; those that run go on.
  void BeginDrain() { runs_.BeginDrain(); }
  bool draining() const { return runs_.draining(); }
  int running() const { return runs_.running(); }
  int waiting() const { return runs_.waiting(); }
  // Ends what runs.
  void CancelAll() { runs_.CancelAll(); }

 private:
  void AddCors(const Request& request, Reply& reply) const;
  bool Preflight(const Request& request, Reply& reply) const;
  // Whether the peer may use `route`; otherwise it has its answer.
  bool LetIn(const Route& route, Request& request, Reply& reply);
  bool LetInWithoutKey(Request& request, Reply& reply) const;

  const HandlerOptions options_;
  KeyStore keys_;
  KeyUsage usage_;
  Router router_;
  Runs runs_;
};

}  // namespace casemate::http
