#pragma once

#include <memory>
#include <string>

#include "casemate/error.h"
#include "surfaces/http/wire.h"

struct ssl_ctx_st;

namespace casemate::http {

// A server's certificate and private key. TLS 1.2 and 1.3; http/1.1 by ALPN. Thread-safe.
class TlsContext {
 public:
  // Files in PEM: the certificate with those between it and its root behind it, and its key. kNotFound,
  // kInvalidRequest when they are none, do not fit, or the key's file is open to other users.
  static Expected<std::unique_ptr<TlsContext>> Load(const std::string& certificate, const std::string& key);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  // `fd` is made non-blocking. The wire must not outlive this.
  std::unique_ptr<Wire> Wrap(int fd) const;

 private:
  explicit TlsContext(ssl_ctx_st* context) : context_(context) {}
  ssl_ctx_st* context_;
};

}  // namespace casemate::http
