#pragma once

#include <memory>
#include <optional>
#include <string>

#include "egress/proxy/authority.h"
#include "egress/proxy/broker.h"
#include "egress/proxy/dialer.h"
#include "egress/proxy/journal.h"
#include "egress/proxy/message.h"
#include "egress/proxy/meter.h"
#include "egress/proxy/settings.h"
#include "egress/proxy/stream.h"
#include "egress/proxy/tls_stream.h"

namespace casemate::egress {

// What all connections of a run share.
struct Shared {
  const ProxySettings& settings;
  Dialer& dialer;
  Journal& journal;
  Meter& meter;
  const Broker& broker;
  Authority* authority;  // null where no TLS is looked into; then this is too:
  SSL_CTX* client_tls;
};

// Passes a client's HTTP/1 requests on, one after the other, each checked by itself: to where each says (a
// proxy's client), or all to one destination (inside a tunnel), where a Host of another name is refused. What
// goes on is written anew; only the body's bytes are the client's own.
class HttpForward {
 public:
  // `buffer`: what has been read of the client already. `only`: the tunnel's destination; `secure`: reached
  // by TLS.
  HttpForward(Stream& client, std::string buffer, std::optional<Destination> only, bool secure, Shared shared)
      : client_(client),
        buffer_(std::move(buffer)),
        only_(std::move(only)),
        secure_(secure),
        shared_(shared) {}

  // A connection to the tunnel's destination that is there already.
  void Adopt(Dialed dialed) { adopted_ = std::move(dialed); }
  // Until the client has no more requests, or asks for a tunnel. Then this has answered nothing yet and
  // returns where to.
  std::optional<Destination> Run();
  // What the client has sent behind its last request.
  std::string TakeBuffer() { return std::move(buffer_); }

 private:
  struct Upstream {
    Destination to;
    Dialed dialed;
    std::unique_ptr<SocketStream> socket;
    std::unique_ptr<TlsStream> tls;
    std::string buffer;
    Stream& stream() const { return tls ? static_cast<Stream&>(*tls) : *socket; }
  };
  struct Request {
    Destination to;
    std::string method;
    std::string target;  // as the server gets it
    std::string head;    // likewise, all of it
  };

  bool ServeOne(std::optional<Destination>& tunnel);
  std::optional<Request> Understand(const RequestReader& reader);
  bool Pass(RequestReader& reader, const Request& request);
  bool Connect(const Destination& to, bool& fresh);
  std::optional<Dialed> Dial(const Destination& to);
  bool WriteHead(const RequestReader& reader, Request& request);
  bool RefuseStray(const Destination& to, const std::string& secret);
  bool SendBody(RequestReader& reader);
  enum class Returned { kDone, kClose, kNothing };
  Returned ReturnResponse(const RequestReader& reader, const Request& request);
  bool ReturnBody(ResponseReader& response, bool chunked);
  // Answers by itself; always false.
  bool Refuse(int status, std::string_view text);
  bool RefuseDestination(const std::string& what, const Verdict& verdict);
  bool Count(std::int64_t bytes, const Destination& to);

  Stream& client_;
  std::string buffer_;
  const std::optional<Destination> only_;
  const bool secure_;
  Shared shared_;
  std::optional<Dialed> adopted_;
  std::optional<Upstream> upstream_;
  std::int64_t sent_ = 0;  // of the request at hand
  std::int64_t received_ = 0;
  std::string stray_;  // a secret whose placeholder is in the body
};

}  // namespace casemate::egress
