#include "egress/proxy/tls_stream.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>

namespace casemate::egress {
namespace {

constexpr std::size_t kPiece = 16384 + 512;  // a record

}  // namespace

TlsStream::TlsStream(Stream& below, SSL_CTX* context) : below_(below), tls_(SSL_new(context)) {
  if (tls_) SSL_set_bio(tls_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
}

TlsStream::~TlsStream() {
  if (!tls_ || SSL_is_init_finished(tls_.get()) == 0) return;
  ERR_clear_error();
  SSL_shutdown(tls_.get());
  Flush(0);
}

std::unique_ptr<TlsStream> TlsStream::Accept(Stream& below, SSL_CTX* context, std::string_view begun,
                                             std::int64_t wait_ms) {
  std::unique_ptr<TlsStream> stream(new TlsStream(below, context));
  if (!stream->tls_) return nullptr;
  SSL_set_accept_state(stream->tls_.get());
  const int size = static_cast<int>(begun.size());
  if (BIO_write(SSL_get_rbio(stream->tls_.get()), begun.data(), size) != size) return nullptr;
  return stream->Handshake(wait_ms) ? std::move(stream) : nullptr;
}

std::unique_ptr<TlsStream> TlsStream::Connect(Stream& below, SSL_CTX* context, const std::string& host,
                                              std::int64_t wait_ms, std::string& why) {
  std::unique_ptr<TlsStream> stream(new TlsStream(below, context));
  SSL* const tls = stream->tls_.get();
  if (tls == nullptr) return nullptr;
  SSL_set_connect_state(tls);
  SSL_set_hostflags(tls, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  // SSL_set_tlsext_host_name() is a macro with a cast of C's.
  std::string name = host;
  if (SSL_set1_host(tls, host.c_str()) != 1 ||
      SSL_ctrl(tls, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name.data()) != 1)
    return nullptr;
  if (stream->Handshake(wait_ms)) return stream;
  const long verified = SSL_get_verify_result(tls);
  why = verified == X509_V_OK ? "it does not complete a TLS handshake"
                              : X509_verify_cert_error_string(verified);
  return nullptr;
}

bool TlsStream::Flush(std::int64_t wait_ms) {
  std::array<char, kPiece> piece;  // NOLINT(cppcoreguidelines-pro-type-member-init): read into
  for (;;) {
    const int count = BIO_read(SSL_get_wbio(tls_.get()), piece.data(), static_cast<int>(piece.size()));
    if (count <= 0) return true;
    if (!below_.Write({piece.data(), static_cast<std::size_t>(count)}, wait_ms)) return false;
  }
}

bool TlsStream::Pump(int result, std::int64_t wait_ms) {
  const int wanted = SSL_get_error(tls_.get(), result);
  // An alert goes out even so.
  if (!Flush(wait_ms) || wanted != SSL_ERROR_WANT_READ) return false;
  std::array<char, kPiece> piece;  // NOLINT(cppcoreguidelines-pro-type-member-init): read into
  const ssize_t count = below_.Read(piece, wait_ms);
  if (count <= 0) {
    ended_ = count;
    return false;
  }
  return BIO_write(SSL_get_rbio(tls_.get()), piece.data(), static_cast<int>(count)) == count;
}

bool TlsStream::Handshake(std::int64_t wait_ms) {
  for (;;) {
    ERR_clear_error();
    const int result = SSL_do_handshake(tls_.get());
    if (result == 1) return Flush(wait_ms);
    if (!Pump(result, wait_ms)) return false;
  }
}

ssize_t TlsStream::Read(std::span<char> into, std::int64_t wait_ms) {
  for (;;) {
    ERR_clear_error();
    const int result =
        SSL_read(tls_.get(), into.data(), static_cast<int>(std::min<std::size_t>(into.size(), INT_MAX)));
    if (result > 0) return result;
    if (SSL_get_error(tls_.get(), result) == SSL_ERROR_ZERO_RETURN) return 0;
    // An end without TLS's own is a cut.
    if (!Pump(result, wait_ms)) return ended_ < 0 ? ended_ : -EPIPE;
  }
}

bool TlsStream::Write(std::string_view bytes, std::int64_t wait_ms) {
  while (!bytes.empty()) {
    ERR_clear_error();
    const int result =
        SSL_write(tls_.get(), bytes.data(), static_cast<int>(std::min<std::size_t>(bytes.size(), INT_MAX)));
    if (result > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(result));
      if (!Flush(wait_ms)) return false;
    } else if (!Pump(result, wait_ms)) {
      return false;
    }
  }
  return true;
}

}  // namespace casemate::egress
