#include "surfaces/http/tls.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "base/file.h"

namespace casemate::http {
namespace {

// The oldest error of this thread's queue, which is then empty.
std::string Reason() {
  const unsigned long code = ::ERR_get_error();
  ::ERR_clear_error();
  const char* text = ::ERR_reason_error_string(code);
  return text != nullptr ? text : "unknown";
}

constexpr std::array<unsigned char, 9> kHttp11 = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};

// Who offers names of protocols, and not this one, is refused (RFC 7301, 3.2).
int ChooseProtocol(SSL* /*ssl*/, const unsigned char** out, unsigned char* out_size, const unsigned char* in,
                   unsigned in_size, void* /*unused*/) {
  unsigned char* chosen = nullptr;
  const int found = ::SSL_select_next_proto(&chosen, out_size, kHttp11.data(), kHttp11.size(), in, in_size);
  *out = chosen;
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

Expected<void> CheckFiles(const std::string& certificate, const std::string& key) {
  for (const std::string& path : {certificate, key}) {
    if (auto file = OpenFile(path, O_RDONLY); !file) {
      return Fail(file.error().code, fmt::format("{} cannot be read: name a PEM file", path),
                  file.error().ToString());
    }
  }
  struct stat file {};
  if (::stat(key.c_str(), &file) == 0 && (file.st_mode & (S_IRWXO | S_IWGRP)) != 0) {
    return Fail(ErrorCode::kInvalidRequest,
                fmt::format("the private key {} is open to other users: chmod 600 {}", key, key));
  }
  return {};
}

// A socket whose descriptor does not block. SIGPIPE is the process's to ignore.
class TlsWire : public Wire {
 public:
  TlsWire(int fd, SSL* ssl) : Wire(fd), ssl_(ssl) {}
  ~TlsWire() override { ::SSL_free(ssl_); }
  TlsWire(const TlsWire&) = delete;
  TlsWire& operator=(const TlsWire&) = delete;

  bool Begin(const Deadline& deadline) override {
    for (;;) {
      ::ERR_clear_error();
      const int done = ::SSL_accept(ssl_);
      if (done == 1) return true;
      const Io io = Later(done);
      if (io.ended() || !WaitFor(fd(), io.wait_for, deadline.RemainingMs())) return false;
    }
  }
  Io Read(std::span<char> room) override {
    ::ERR_clear_error();
    std::size_t count = 0;
    const int done = ::SSL_read_ex(ssl_, room.data(), room.size(), &count);
    return done == 1 ? Io{count, 0} : Later(done);
  }
  Io Write(std::string_view head, std::string_view body) override {
    // One record for a short answer.
    if (!head.empty() && !body.empty() && head.size() + body.size() <= kRecordBytes) {
      joined_.assign(head).append(body);
      return WriteSome(joined_);
    }
    return WriteSome(head.empty() ? body : head);
  }
  bool HasUnread() const override { return ::SSL_pending(ssl_) > 0; }
  void EndWriting() override {
    if (!broken_) (void)::SSL_shutdown(ssl_);
    ::ERR_clear_error();
    Wire::EndWriting();
  }

 private:
  static constexpr std::size_t kRecordBytes = 16 * 1024;

  Io WriteSome(std::string_view bytes) {
    ::ERR_clear_error();
    std::size_t count = 0;
    const int done = ::SSL_write_ex(ssl_, bytes.data(), bytes.size(), &count);
    return done == 1 ? Io{count, 0} : Later(done);
  }
  Io Later(int done) {
    switch (::SSL_get_error(ssl_, done)) {
      case SSL_ERROR_WANT_READ:
        return {0, POLLIN};
      case SSL_ERROR_WANT_WRITE:
        return {0, POLLOUT};
      case SSL_ERROR_ZERO_RETURN:
        return {};
      default:
        broken_ = true;
        return {};
    }
  }

  SSL* ssl_;
  std::string joined_;
  bool broken_ = false;
};

}  // namespace

Expected<std::unique_ptr<TlsContext>> TlsContext::Load(const std::string& certificate,
                                                       const std::string& key) {
  if (auto checked = CheckFiles(certificate, key); !checked) return std::unexpected(checked.error());
  std::unique_ptr<TlsContext> made(new TlsContext(::SSL_CTX_new(::TLS_server_method())));
  SSL_CTX* context = made->context_;
  if (context == nullptr) return Fail(ErrorCode::kInternal, "TLS cannot be set up: try again", Reason());
  ::SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  // A record may be taken in part, and what is left may lie elsewhere at the next try.
  ::SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
  ::SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  ::SSL_CTX_set_alpn_select_cb(context, ChooseProtocol, nullptr);
  if (::SSL_CTX_use_certificate_chain_file(context, certificate.c_str()) != 1) {
    return Fail(
        ErrorCode::kInvalidRequest,
        fmt::format("{} is no certificate: name a PEM file that begins with the server's own", certificate),
        Reason());
  }
  if (::SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) != 1 ||
      ::SSL_CTX_check_private_key(context) != 1) {
    return Fail(ErrorCode::kInvalidRequest,
                fmt::format("{} is not the private key of {}: name its PEM file, without a passphrase", key,
                            certificate),
                Reason());
  }
  return made;
}

TlsContext::~TlsContext() { ::SSL_CTX_free(context_); }

std::unique_ptr<Wire> TlsContext::Wrap(int fd) const {
  ::fcntl(fd, F_SETFL, O_NONBLOCK);
  SSL* ssl = ::SSL_new(context_);
  if (ssl == nullptr || ::SSL_set_fd(ssl, fd) != 1) {
    ::SSL_free(ssl);
    return nullptr;
  }
  return std::make_unique<TlsWire>(fd, ssl);
}

}  // namespace casemate::http
