#include "ship/target.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/sha256.h"
#include "ship/datagram_sink.h"
#include "ship/otlp_sink.h"

namespace casemate::ship {
namespace {

struct KindEntry {
  std::string_view name;
  SinkKind kind;
  std::string_view default_place;  // "" when one must be given
  std::string_view path;           // of an address
};
constexpr std::array kKinds = {
    KindEntry{"syslog", SinkKind::kSyslog, "/dev/log", ""},
    KindEntry{"journald", SinkKind::kJournald, "/run/systemd/journal/socket", ""},
    KindEntry{"otlp", SinkKind::kOtlpLogs, "", "/v1/logs"},
    KindEntry{"otlp-traces", SinkKind::kOtlpTraces, "", "/v1/traces"},
};

std::unexpected<Error> Refuse(std::string message) {
  return Fail(ErrorCode::kInvalidRequest, std::move(message));
}

Expected<std::string> Address(std::string_view given, std::string_view path) {
  const bool web = given.starts_with("http://") || given.starts_with("https://");
  const std::size_t host = given.find("//") + 2;
  const std::string_view authority = web ? given.substr(host, given.find('/', host) - host) : given;
  if (!web || authority.empty() || given.find_first_of(" \t\r\n?#") != std::string_view::npos) {
    return Refuse(fmt::format(
        "\"{}\" is no collector's address: write otlp:http://HOST:4318, or https://, without a query",
        given));
  }
  if (authority.find('@') != std::string_view::npos) {
    return Refuse(
        "a collector's address has no credentials in it, where others would see them: put them into "
        "OTEL_EXPORTER_OTLP_HEADERS");
  }
  while (given.ends_with('/')) given.remove_suffix(1);
  return given.ends_with(path) ? std::string(given) : std::string(given) + std::string(path);
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// Without what a header cannot have.
std::optional<std::string> Unescape(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    int byte = static_cast<unsigned char>(text[i]);
    if (text[i] == '%') {
      if (i + 2 >= text.size() || HexDigit(text[i + 1]) < 0 || HexDigit(text[i + 2]) < 0) return std::nullopt;
      byte = HexDigit(text[i + 1]) * 16 + HexDigit(text[i + 2]);
      i += 2;
    }
    constexpr int kFirstPrintable = 0x20;
    if (byte < kFirstPrintable) return std::nullopt;
    plain += static_cast<char>(byte);
  }
  return plain;
}

std::string_view Trim(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

}  // namespace

Expected<Target> ParseTarget(std::string_view text) {
  const std::size_t colon = std::min(text.find(':'), text.size());
  const auto* const kind = std::ranges::find(kKinds, text.substr(0, colon), &KindEntry::name);
  if (kind == kKinds.end()) {
    return Refuse(fmt::format(
        "\"{}\" is no sink: write syslog[:SOCKET], journald[:SOCKET], otlp:URL or otlp-traces:URL", text));
  }
  std::string_view place = colon < text.size() ? text.substr(colon + 1) : std::string_view();
  if (place.empty()) place = kind->default_place;
  Target target{kind->kind, std::string(place), "", ""};
  if (!kind->path.empty()) {
    auto address = Address(place, kind->path);
    if (!address) return std::unexpected(address.error());
    target.place = *std::move(address);
  } else if (!place.starts_with('/')) {
    return Refuse(
        fmt::format("\"{}\" is no socket's path: write {}:{}", place, kind->name, kind->default_place));
  }
  target.text = fmt::format("{}:{}", kind->name, target.place);
  constexpr std::size_t kDigits = 8;
  target.name = fmt::format("{}-{}", kind->name, Sha256Hex(target.text).substr(0, kDigits));
  return target;
}

Expected<CollectorOptions> CollectorOptionsOf(const char* (*variable)(const char* name)) {
  const auto text = [variable](const char* name) {
    const char* value = variable(name);
    return std::string(value != nullptr ? value : "");
  };
  CollectorOptions options{{},
                           text("OTEL_EXPORTER_OTLP_CERTIFICATE"),
                           text("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"),
                           text("OTEL_EXPORTER_OTLP_CLIENT_KEY")};
  const std::string protocol = text("OTEL_EXPORTER_OTLP_PROTOCOL");
  options.protobuf = protocol == "http/protobuf";
  if (!options.protobuf && !protocol.empty() && protocol != "http/json")
    return Refuse(
        "OTEL_EXPORTER_OTLP_PROTOCOL must be http/json or http/protobuf: others are not spoken here");
  const std::string headers = text("OTEL_EXPORTER_OTLP_HEADERS");
  for (std::string_view rest = headers; !rest.empty();) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    const std::string_view pair = Trim(rest.substr(0, comma));
    rest.remove_prefix(std::min(comma + 1, rest.size()));
    if (pair.empty()) continue;
    const std::size_t equals = pair.find('=');
    const auto name = Unescape(Trim(pair.substr(0, equals)));
    const auto value =
        equals == std::string_view::npos ? std::nullopt : Unescape(Trim(pair.substr(equals + 1)));
    if (!name || !value || name->empty() || name->find_first_of(": ") != std::string::npos) {
      return Refuse(
          "OTEL_EXPORTER_OTLP_HEADERS is not of the form name=value,name=value with %XX for others");
    }
    options.headers.push_back(fmt::format("{}: {}", *name, *value));
  }
  return options;
}

std::unique_ptr<Sink> MakeSink(const Target& target, const CollectorOptions& options,
                               secrets::HttpClient& client) {
  switch (target.kind) {
    case SinkKind::kSyslog:
      return MakeDatagramSink(target.place, DatagramForm::kSyslog);
    case SinkKind::kJournald:
      return MakeDatagramSink(target.place, DatagramForm::kJournald);
    case SinkKind::kOtlpLogs:
      return MakeOtlpSink(target.place, OtlpSignal::kLogs, options, client);
    case SinkKind::kOtlpTraces:
      return MakeOtlpSink(target.place, OtlpSignal::kTraces, options, client);
  }
  return nullptr;
}

}  // namespace casemate::ship
