#include "surfaces/http/router.h"

#include <iterator>
#include <utility>

#include "surfaces/http/target.h"

namespace casemate::http {
namespace {

// `host` without its port, in lower case.
std::string HostName(std::string_view host) {
  const std::size_t colon = host.ends_with(']') ? std::string_view::npos : host.rfind(':');
  std::string name(host.substr(0, colon));
  for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return name;
}

bool HostFits(std::string_view pattern, std::string_view host) {
  if (pattern.empty()) return true;
  const std::string name = HostName(host);
  if (!pattern.starts_with("*.")) return name == pattern;
  const std::string_view parent = pattern.substr(1);
  return name.size() > parent.size() && name.ends_with(parent);
}

}  // namespace

void Router::Add(std::vector<Route> routes) {
  routes_.insert(routes_.end(), std::make_move_iterator(routes.begin()),
                 std::make_move_iterator(routes.end()));
}

const Route* Router::Find(std::string_view method, std::string_view path, std::string_view host,
                          std::vector<std::string>& params) const {
  const std::string_view wanted = method == "HEAD" ? "GET" : method;
  for (const Route& route : routes_) {
    if (route.method != wanted || !HostFits(route.host, host)) continue;
    auto matched = MatchPath(route.pattern, path);
    if (!matched) continue;
    params = *std::move(matched);
    return &route;
  }
  return nullptr;
}

std::string Router::Allowed(std::string_view path, std::string_view host) const {
  std::string allowed;
  for (const Route& route : routes_) {
    if (!HostFits(route.host, host) || !MatchPath(route.pattern, path)) continue;
    if (allowed.find(route.method) != std::string::npos) continue;
    if (!allowed.empty()) allowed += ", ";
    allowed += route.method == "GET" ? std::string_view("GET, HEAD") : route.method;
  }
  return allowed;
}

}  // namespace casemate::http
