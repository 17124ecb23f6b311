#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "keys/key_store.h"
#include "keys/scope.h"

namespace casemate::http {

class Wire;
class ReadBuffer;

// One request, as some transport has read it. The views are valid while it is handled.
struct Request {
  std::string_view method;
  std::string_view target;
  std::string_view accept;
  std::string_view body;
  std::string_view trace_parent;  // W3C Trace Context
  std::string_view trace_state;
  std::string caller;     // "uid:1000" by the transport, "key:ID" when a key has opened it
  std::string_view host;  // of the Host field, with its port
  bool trusted = false;   // the transport knows the peer to be this engine's own user, or root
  // Any other field by its name, in any case; "" when it is not there.
  std::function<std::string_view(std::string_view)> field = [](std::string_view) { return ""; };

  // Set by the handler.
  std::string_view path;              // the target without its query
  std::string_view query;             // what follows the "?"
  std::vector<std::string> params;    // what stands at the pattern's {names}, decoded
  Scopes scopes;                      // what the peer may do
  std::shared_ptr<const ApiKey> key;  // that has opened it; null for a trusted peer
};

struct Answer {
  int status = 200;
  std::string_view content_type = "application/json";
  std::string_view allow;  // of a 405
  std::string body;
};

// Where a handler answers one request: either Send(), or BeginStream(), any number of Write(), EndStream(),
// or TakeOver(). One thread. A peer that is gone or slow is the transport's business: nothing here fails.
class Reply {
 public:
  virtual ~Reply() = default;
  virtual void Send(const Answer& answer) = 0;
  virtual void BeginStream(std::string_view content_type) = 0;
  // What is not flushed may wait for the next Write(). Does not wait for a slow peer for long.
  virtual void Write(std::string_view bytes, bool flush) = 0;
  // The same, and waits until all that is pending has gone; false when the peer is gone.
  virtual bool WriteAndWait(std::string_view bytes) = 0;
  virtual void EndStream() = 0;
  // Instead of EndStream(): the peer finds its stream cut short.
  virtual void Break() = 0;
  // Hangs up (POLLRDHUP) when the peer does; -1 for none. shutdown(SHUT_RD) makes it look so.
  virtual int hang_up_fd() const = 0;
  // A further field of the answer or the stream; before either begins.
  virtual void AddField(std::string_view name, std::string_view value) = 0;
  // The connection ends behind this answer; before it begins.
  virtual void CloseAfter() = 0;
  // The connection itself, for another protocol (RFC 9110, 7.8), and what was read of it and not used. Both
  // belong to the transport and end with the handler's return; null where the transport has no such thing.
  struct Raw {
    Wire* wire = nullptr;
    ReadBuffer* unread = nullptr;
  };
  virtual Raw TakeOver() = 0;
};

// A problem details object (RFC 9457): {"type": "urn:casemate:problem:CODE", "title", "status", "detail",
// "code"}. `message` is one sentence with its remedy.
Answer ErrorAnswer(int status, std::string_view code, std::string_view message);
// The same for an Error: 400, 404, 503 or 500 by its code.
Answer ErrorAnswer(const Error& error);

// The standard words for a status (RFC 9110, 15).
std::string_view ReasonPhrase(int status);

}  // namespace casemate::http
