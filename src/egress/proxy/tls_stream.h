#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "egress/proxy/authority.h"
#include "egress/proxy/stream.h"

namespace casemate::egress {

// TLS over another stream, which outlives it.
class TlsStream : public Stream {
 public:
  // The server's side, with `begun` read of the client already. Null when the handshake fails or takes longer
  // than `wait_ms` for a step.
  static std::unique_ptr<TlsStream> Accept(Stream& below, SSL_CTX* context, std::string_view begun,
                                           std::int64_t wait_ms);
  // The client's side, of a server that must prove to be `host`. `why` says why not.
  static std::unique_ptr<TlsStream> Connect(Stream& below, SSL_CTX* context, const std::string& host,
                                            std::int64_t wait_ms, std::string& why);

  // Says its end to the peer, if that takes it.
  ~TlsStream() override;
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  ssize_t Read(std::span<char> into, std::int64_t wait_ms) override;
  bool Write(std::string_view bytes, std::int64_t wait_ms) override;
  int fd() const override { return below_.fd(); }

 private:
  TlsStream(Stream& below, SSL_CTX* context);
  bool Handshake(std::int64_t wait_ms);
  // What OpenSSL waits for: false when it cannot be had.
  bool Pump(int result, std::int64_t wait_ms);
  bool Flush(std::int64_t wait_ms);

  Stream& below_;
  std::unique_ptr<SSL, OpensslFree<SSL_free>> tls_;
  ssize_t ended_ = 1;  // what the stream below said when it ended
};

}  // namespace casemate::egress
