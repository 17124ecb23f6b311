#include "egress/rules/allowlist.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace casemate::egress {
namespace {

constexpr std::size_t kRulesMax = 1024;
constexpr std::size_t kHostsMax = 1024;
constexpr std::size_t kQuotedMax = 100;
constexpr std::int64_t kConnectionsMax = 512;

std::unexpected<Error> Refuse(std::string message) {
  return Fail(ErrorCode::kInvalidRequest, std::move(message));
}

std::string Quote(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text.substr(0, kQuotedMax)) quoted += c >= ' ' && c <= '~' ? c : '?';
  return quoted + "\"";
}

struct Parts {
  std::string_view host;
  std::string_view ports;  // "" when there are none
};

// An IPv6 address or range has colons of its own: "2001:db8::/32" is no port, "[2001:db8::/32]:443" has one.
Parts Split(std::string_view text) {
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return {text, {}};
    const std::string_view rest = text.substr(end + 1);
    if (rest.empty()) return {text.substr(1, end - 1), {}};
    return rest.starts_with(':') && rest.size() > 1 ? Parts{text.substr(1, end - 1), rest.substr(1)}
                                                    : Parts{text, {}};
  }
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || text.find(':', colon + 1) != std::string_view::npos)
    return {text, {}};
  return {text.substr(0, colon), text.substr(colon + 1)};
}

// Spellings of a path that servers read in more than one way: none of them matches a rule.
bool IsPlainPath(std::string_view path) {
  if (!path.starts_with('/') || path.contains("//") || path.contains("/./") || path.contains("/../") ||
      path.ends_with("/.") || path.ends_with("/..") || path.contains('\\') || path.contains(';'))
    return false;
  for (const std::string_view hidden : {"%2e", "%2E", "%2f", "%2F", "%5c", "%5C", "%25", "%00"}) {
    if (path.contains(hidden)) return false;
  }
  return true;
}

bool IsToken(std::string_view method) {
  return !method.empty() && method.size() <= 32 &&
         std::ranges::all_of(method, [](char c) { return c >= 'A' && c <= 'Z'; });
}

Verdict No(std::string reason, std::string remedy) { return {false, std::move(reason), std::move(remedy)}; }

Expected<void> CheckLimits(const NetworkLimits& limits) {
  if (limits.connections_max < 1 || limits.connections_max > kConnectionsMax) {
    return Refuse(fmt::format("network.limits.connections is {}, but must be from 1 to {}",
                              limits.connections_max, kConnectionsMax));
  }
  if (limits.bytes_max < 1) return Refuse("network.limits.bytes must be 1 or more");
  if (limits.bytes_per_second != 0 && limits.bytes_per_second < 1024)
    return Refuse("network.limits.bytes_per_second must be 1024 or more, or 0 for no limit");
  return {};
}

}  // namespace

Expected<Allowlist::Rule> Allowlist::ReadRule(const NetworkRule& given) {
  const std::string_view text = given.destination;
  Parts parts = Split(text);
  Rule rule;
  const bool scheme = text.contains("://");
  const auto range = AddressRange::Parse(parts.host);
  const bool wild = parts.host.starts_with("*.");
  if (range) {
    rule.range = *range;
  } else if (auto name = scheme ? std::nullopt : NormalHostName(wild ? parts.host.substr(2) : parts.host)) {
    if (wild && !name->contains('.')) {
      return Refuse(
          fmt::format("{} would allow a whole top-level domain; name the hosts, or a suffix with two "
                      "labels or more, as in *.example.com",
                      Quote(text)));
    }
    rule.name = wild ? "." + *name : *std::move(name);
  } else {
    return Refuse(fmt::format(
        "{} is no destination{}: write HOST[:PORT], where the host is a name (api.example.com), *.suffix, an "
        "address or a range (10.0.0.0/8, [2001:db8::/32]:443)",
        Quote(text), scheme ? ", leave out the scheme and the path" : ""));
  }
  if (parts.ports == "*") {
    rule.ports = {{1, 65535}};
  } else if (!parts.ports.empty()) {
    const std::size_t dash = parts.ports.find('-');
    const auto first = ParsePort(parts.ports.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : ParsePort(parts.ports.substr(dash + 1));
    if (!first || !last || *first > *last) {
      return Refuse(fmt::format("the port of {} must be a number from 1 to 65535, a range (8000-8080) or *",
                                Quote(text)));
    }
    rule.ports = {{*first, *last}};
  } else if (parts.host.size() != text.size() && text.ends_with(':')) {
    return Refuse(
        fmt::format("{} ends where a port should be; write it, or leave out the colon", Quote(text)));
  } else {
    rule.ports = {{80, 80}, {443, 443}};
  }
  for (const std::string& method : given.methods) {
    if (!IsToken(method) || method == "CONNECT")
      return Refuse(fmt::format("{} is no method of a rule; write GET, POST and the like", Quote(method)));
  }
  for (const std::string& path : given.paths) {
    const std::string_view plain =
        std::string_view(path).substr(0, path.size() - (path.ends_with('*') ? 1 : 0));
    if (!IsPlainPath(plain) || plain.contains('*') || plain.contains('?')) {
      return Refuse(
          fmt::format("{} is no path of a rule; write it from its / on, with at most one * at its end, "
                      "without ?, .., ; and escapes of / and .",
                      Quote(path)));
    }
  }
  rule.methods = given.methods;
  rule.paths = given.paths;
  return rule;
}

Expected<Allowlist> Allowlist::Make(const NetworkPolicy& network) {
  Allowlist list;
  if (network.allow.size() > kRulesMax || network.hosts.size() > kHostsMax)
    return Refuse(fmt::format("a network has at most {} destinations; use *.suffix or ranges", kRulesMax));
  if (auto checked = CheckLimits(network.limits); !checked) return std::unexpected(checked.error());
  for (const NetworkRule& given : network.allow) {
    auto rule = ReadRule(given);
    if (!rule) return std::unexpected(rule.error());
    list.rules_.push_back(*std::move(rule));
  }
  for (const auto& [given, texts] : network.hosts) {
    const auto name = NormalHostName(given);
    if (!name) return Refuse(fmt::format("network.hosts: {} is no host name", Quote(given)));
    std::vector<Address>& addresses = list.hosts_[*name];
    for (const std::string& text : texts) {
      const auto address = Address::Parse(text);
      if (!address) return Refuse(fmt::format("network.hosts: {} is no address of {}", Quote(text), *name));
      addresses.push_back(*address);
    }
  }
  return list;
}

bool Allowlist::HasPort(const Rule& rule, std::uint16_t port) {
  return std::ranges::any_of(
      rule.ports, [port](const Ports& ports) { return port >= ports.first && port <= ports.last; });
}

bool Allowlist::Matches(const Rule& rule, const Destination& destination) {
  if (rule.name.empty()) return destination.address && rule.range.Contains(*destination.address);
  if (destination.address) return false;
  if (rule.name.front() != '.') return destination.host == rule.name;
  return destination.host.size() > rule.name.size() && destination.host.ends_with(rule.name);
}

Verdict Allowlist::MayAsk(const Destination& destination) const {
  bool host = false;
  for (const Rule& rule : rules_) {
    if (!Matches(rule, destination)) continue;
    if (HasPort(rule, destination.port)) return {};
    host = true;
  }
  if (host) {
    return No(fmt::format("port {} of {} is not in the allowlist", destination.port, destination.host),
              fmt::format("add {} to --network allow:…", destination.ToString()));
  }
  return No(fmt::format("{} is not in the allowlist", destination.host),
            fmt::format("add {} to --network allow:…", destination.port == 80 || destination.port == 443
                                                           ? destination.host
                                                           : destination.ToString()));
}

Verdict Allowlist::MayConnect(const Destination& destination, const Address& address) const {
  if (auto asked = MayAsk(destination); !asked) return asked;
  const std::string_view purpose = SpecialPurpose(address);
  if (purpose.empty()) return {};
  for (const Rule& rule : rules_) {
    if (rule.name.empty() && rule.range.Contains(address) && HasPort(rule, destination.port)) return {};
  }
  return No(fmt::format("{} leads to {}, which is {}", destination.host, address.ToString(), purpose),
            fmt::format("if that is meant, name the address too: --network allow:{}{}",
                        destination.address ? "" : destination.host + ",",
                        Destination{address.ToString(), address, destination.port}.ToString()));
}

bool Allowlist::AllowsAnyRequest(const Destination& destination) const {
  return std::ranges::any_of(rules_, [&](const Rule& rule) {
    return Matches(rule, destination) && HasPort(rule, destination.port) && rule.methods.empty() &&
           rule.paths.empty();
  });
}

bool Allowlist::AllowsRequest(const Rule& rule, std::string_view method, std::string_view path) {
  if (!rule.methods.empty() && std::ranges::find(rule.methods, method) == rule.methods.end()) return false;
  if (rule.paths.empty()) return true;
  return IsPlainPath(path) && std::ranges::any_of(rule.paths, [path](std::string_view allowed) {
           if (!allowed.ends_with('*')) return path == allowed;
           allowed.remove_suffix(1);
           return path.starts_with(allowed);
         });
}

Verdict Allowlist::MayRequest(const Destination& destination, std::string_view method,
                              std::string_view target) const {
  if (auto asked = MayAsk(destination); !asked) return asked;
  const std::string_view path = target.substr(0, target.find('?'));
  for (const Rule& rule : rules_) {
    if (Matches(rule, destination) && HasPort(rule, destination.port) && AllowsRequest(rule, method, path))
      return {};
  }
  return No(
      fmt::format("no rule for {} allows {} {}", destination.host, method, Quote(path)),
      "add its method and path to the rule of that host, written without .., //, ; and escapes of / and .");
}

std::vector<std::string> Allowlist::NamesLookedInto() const {
  std::vector<std::string> names;
  for (const Rule& rule : rules_) {
    if (!rule.name.empty() && !(rule.methods.empty() && rule.paths.empty())) names.push_back(rule.name);
  }
  return names;
}

const std::vector<Address>* Allowlist::AddressesOf(const std::string& name) const {
  const auto found = hosts_.find(name);
  return found != hosts_.end() ? &found->second : nullptr;
}

}  // namespace casemate::egress
