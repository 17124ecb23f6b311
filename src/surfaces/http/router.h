#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "keys/scope.h"
#include "surfaces/http/exchange.h"

namespace casemate::http {

using RouteHandler = std::function<void(const Request& request, Reply& reply)>;

// One line of the route table. The views are literals.
struct Route {
  std::string_view method;   // "POST"; a GET answers HEAD too
  std::string_view pattern;  // "/v1/sessions/{id}/files/{path...}" (MatchPath)
  Scope scope = Scope::kAdmin;
  RouteHandler handler;
  std::string_view host;  // of requests to this host alone; "*.example.org" for those below it; "" for any
};

// Which handler a request is for. Filled before the first request; from then on thread-safe.
class Router {
 public:
  void Add(std::vector<Route> routes);
  const std::vector<Route>& routes() const { return routes_; }

  // The first route whose method, path and host fit; its parameters go to `params`.
  const Route* Find(std::string_view method, std::string_view path, std::string_view host,
                    std::vector<std::string>& params) const;
  // The methods that `path` has, "GET, HEAD, POST"; "" when there is no such path.
  std::string Allowed(std::string_view path, std::string_view host) const;

 private:
  std::vector<Route> routes_;
};

}  // namespace casemate::http
