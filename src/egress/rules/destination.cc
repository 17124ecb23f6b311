#include "egress/rules/destination.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace casemate::egress {
namespace {

constexpr std::size_t kNameBytesMax = 253;
constexpr std::size_t kLabelBytesMax = 63;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool IsNameCharacter(char c) { return (c >= 'a' && c <= 'z') || IsDigit(c) || c == '-' || c == '_'; }

// WHATWG's URL standard, "ends in a number": such a host is an address or nothing.
bool IsNumber(std::string_view label) {
  if (label.starts_with("0x")) {
    label.remove_prefix(2);
    return std::ranges::all_of(label, [](char c) { return IsDigit(c) || (c >= 'a' && c <= 'f'); });
  }
  return std::ranges::all_of(label, IsDigit);
}

}  // namespace

std::string Destination::ToString() const {
  return address && !address->v4() ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

std::optional<std::string> NormalHostName(std::string_view text) {
  if (text.ends_with('.')) text.remove_suffix(1);
  if (text.empty() || text.size() > kNameBytesMax) return std::nullopt;
  std::string name(text);
  std::ranges::transform(name, name.begin(), Lower);
  std::string_view rest = name;
  for (;;) {
    const std::size_t dot = rest.find('.');
    const std::string_view label = rest.substr(0, dot);
    if (label.empty() || label.size() > kLabelBytesMax || !std::ranges::all_of(label, IsNameCharacter) ||
        label.front() == '-' || label.back() == '-')
      return std::nullopt;
    if (dot == std::string_view::npos) {
      if (IsNumber(label)) return std::nullopt;
      return name;
    }
    rest.remove_prefix(dot + 1);
  }
}

std::optional<Destination> MakeDestination(std::string_view host, std::uint16_t port) {
  if (port == 0) return std::nullopt;
  std::string_view bare = host;
  const bool brackets = host.starts_with('[') && host.ends_with(']');
  if (brackets) bare = host.substr(1, host.size() - 2);
  if (const auto address = Address::Parse(bare)) {
    // Brackets are for what has colons in it.
    if (brackets && bare.find(':') == std::string_view::npos) return std::nullopt;
    return Destination{address->ToString(), address, port};
  }
  auto name = brackets ? std::nullopt : NormalHostName(host);
  if (!name) return std::nullopt;
  return Destination{*std::move(name), std::nullopt, port};
}

std::optional<std::uint16_t> ParsePort(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

std::optional<Destination> ParseAuthority(std::string_view text, std::uint16_t default_port) {
  const std::size_t colon = text.rfind(':');
  const std::size_t bracket = text.rfind(']');
  const bool with_port = colon != std::string_view::npos &&
                         (bracket == std::string_view::npos ? text.find(':') == colon : colon > bracket);
  if (!with_port) return MakeDestination(text, default_port);
  const auto port = ParsePort(text.substr(colon + 1));
  return port ? MakeDestination(text.substr(0, colon), *port) : std::nullopt;
}

}  // namespace casemate::egress
