#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "casemate/engine.h"
#include "casemate/error.h"
#include "log/logger.h"
#include "surfaces/http/connection.h"
#include "surfaces/http/runs.h"

namespace casemate {

// `casemate serve`'s command line.
struct ServeOptions {
  EngineOptions engine{.warm = {.enabled = true}};
  http::ServerLimits server;
  std::string socket;              // "" means http::DefaultSocketPath()
  std::int64_t drain_ms = 30'000;  // what runs have to end after SIGTERM
  int lifeline = -1;               // a descriptor: the engine ends when its other end is closed
  std::string listen;              // HOST:PORT; "" for the unix socket alone
  std::string tls_certificate;     // PEM files
  std::string tls_key;
  std::vector<std::string> cors_origins;
  http::RunLimits runs;
  std::string audit_keep;  // for $CASEMATE_AUDIT_KEEP and $CASEMATE_AUDIT_KEEP_BYTES; "" leaves them
  std::string audit_keep_bytes;
  std::vector<std::string> audit_sinks;  // as `casemate audit ship` takes them
  LogLevel log_level = LogLevel::kInfo;
  LogFormat log_format = LogFormat::kLogfmt;
  bool insecure_no_tls = false;  // keys and programs cross a network in the clear
  bool insecure_no_key = false;  // whoever reaches the address may do everything
  bool help = false;
};

// `words` are those after "serve"; flags are "--flag VALUE" or "--flag=VALUE". kInvalidRequest with one
// sentence.
Expected<ServeOptions> ParseServeOptions(const std::vector<std::string>& words);

// The text of `casemate serve --help`.
std::string ServeHelp();

}  // namespace casemate
