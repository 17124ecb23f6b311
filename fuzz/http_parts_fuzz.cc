// link: surfaces_http keys audit batch redact policy_checks model base
// What of a request is read by code of ours: paths and queries, fields, keys, WebSocket frames, and the key
// file.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "keys/key_store.h"
#include "keys/scope.h"
#include "surfaces/http/audit_routes.h"
#include "surfaces/http/idempotency.h"
#include "surfaces/http/target.h"
#include "surfaces/http/tcp.h"
#include "surfaces/http/web_socket.h"

namespace {

namespace http = casemate::http;

void Require(bool holds) {
  if (!holds) std::abort();
}

// Whatever the pieces that bytes come in, the messages are the same.
void ReadFrames(std::string_view text) {
  constexpr std::size_t kBytesMax = 1000;
  http::WsReader whole(kBytesMax);
  whole.Feed(text);
  http::WsReader pieces(kBytesMax);
  std::string one;
  std::string other;
  while (auto message = whole.Next()) {
    Require(message->bytes.size() <= kBytesMax);
    one += static_cast<char>(message->kind) + message->bytes;
  }
  for (const char byte : text) {
    pieces.Feed({&byte, 1});
    while (auto message = pieces.Next()) other += static_cast<char>(message->kind) + message->bytes;
  }
  Require(one == other && whole.error() == pieces.error());
}

void ReadPath(std::string_view text) {
  for (const std::string_view pattern : {"/v1/run", "/v1/runs/{id}", "/v1/sessions/{id}/files/{path...}"}) {
    const auto params = http::MatchPath(pattern, text);
    if (!params) continue;
    for (const std::string& param : *params) Require(param.find('\0') == std::string::npos);
    if (params->size() == 1)
      Require(!params->front().empty() && params->front().find('/') == std::string::npos);
  }
  if (const auto parameters = http::ParseQuery(text)) {
    for (const auto& [name, value] : *parameters) {
      Require(name.size() + value.size() <= text.size());
    }
  }
  (void)http::ParseAuditQuery(text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 4) {
    case 0:
      ReadPath(text);
      break;
    case 1:
      ReadFrames(text);
      break;
    case 2:
      if (const auto keys = casemate::DecodeKeys(text)) {
        const std::string again = casemate::EncodeKeys(*keys);
        Require(casemate::EncodeKeys(*casemate::DecodeKeys(again)) == again);
      }
      break;
    default:
      (void)casemate::KeyId(http::BearerToken(text));
      (void)http::ListHasToken(text, "upgrade");
      (void)http::WsAccept(text);
      (void)http::IsIdempotencyKey(text);
      (void)casemate::ParseScopes(text);
      if (const auto address = http::ParseTcpAddress(text)) Require(!address->host.empty());
  }
  return 0;
}
