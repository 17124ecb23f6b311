#pragma once

#include <openssl/ssl.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "casemate/error.h"

namespace casemate::egress {

template <auto kFree>
struct OpensslFree {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using TlsContext = std::unique_ptr<SSL_CTX, OpensslFree<SSL_CTX_free>>;
using PrivateKey = std::unique_ptr<EVP_PKEY, OpensslFree<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, OpensslFree<X509_free>>;

// The certificate authority of one run: made when its proxy starts, in its memory alone, good for a week and
// for the hosts that it was made for (name constraints). Thread-safe.
class Authority {
 public:
  // kInternal when OpenSSL fails.
  static Expected<std::unique_ptr<Authority>> Make(const std::vector<std::string>& hosts);

  const std::string& pem() const { return pem_; }  // its certificate
  // For a TLS server named `host`; null when OpenSSL fails. Valid as long as this.
  SSL_CTX* ContextFor(const std::string& host);

 private:
  Authority() = default;

  PrivateKey key_;       // of the authority
  PrivateKey leaf_key_;  // of all its servers
  Certificate certificate_;
  std::string pem_;
  std::mutex mutex_;
  std::map<std::string, TlsContext> contexts_;
};

// For connections to servers, which are checked against the authorities that the host trusts (SSL_CERT_FILE
// and SSL_CERT_DIR say otherwise). Reads files. Null when OpenSSL fails.
TlsContext MakeClientContext();

}  // namespace casemate::egress
