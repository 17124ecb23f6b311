#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "casemate/error.h"
#include "secrets/http/client.h"
#include "ship/sink.h"

namespace casemate::ship {

enum class SinkKind { kSyslog, kJournald, kOtlpLogs, kOtlpTraces };

// A sink as people name it:
//
//   syslog[:SOCKET]      syslog(3)'s datagrams (RFC 3164 as local daemons take it); /dev/log
//   journald[:SOCKET]    the journal's own protocol; /run/systemd/journal/socket
//   otlp:URL             OTLP/HTTP logs, to URL/v1/logs: "otlp:http://127.0.0.1:4318"
//   otlp-traces:URL      OTLP/HTTP traces, to URL/v1/traces: a span a run, and one a step
struct Target {
  SinkKind kind = SinkKind::kSyslog;
  std::string place;  // a socket's path or the whole address
  std::string name;   // of its state file and in metrics: "syslog-1f2e3d4c", the same for the same target
  std::string text;   // "syslog:/dev/log"
};
// kInvalidRequest with one sentence.
Expected<Target> ParseTarget(std::string_view text);

// What a collector is told beside the records, from the variables that OpenTelemetry names for it:
// OTEL_EXPORTER_OTLP_HEADERS (name=value, commas, %XX), OTEL_EXPORTER_OTLP_CERTIFICATE (a PEM file of who is
// trusted), OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and _CLIENT_KEY.
struct CollectorOptions {
  std::vector<std::string> headers;
  std::string ca_file;
  std::string client_certificate;
  std::string client_key;
  bool protobuf = false;  // instead of JSON
};
Expected<CollectorOptions> CollectorOptionsOf(const char* (*variable)(const char* name));

// `client` must outlive the sink; unused for those that are sockets.
std::unique_ptr<Sink> MakeSink(const Target& target, const CollectorOptions& options,
                               secrets::HttpClient& client);

}  // namespace casemate::ship
