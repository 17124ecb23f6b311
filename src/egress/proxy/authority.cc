#include "egress/proxy/authority.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>

namespace casemate::egress {
namespace {

using Bio = std::unique_ptr<BIO, OpensslFree<BIO_free_all>>;
using Extension = std::unique_ptr<X509_EXTENSION, OpensslFree<X509_EXTENSION_free>>;

constexpr long kHourS = 3600;
constexpr long kWeekS = 7 * 24 * kHourS;
constexpr std::array<unsigned char, 9> kHttp11 = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};

PrivateKey MakeKey() { return PrivateKey(EVP_EC_gen("P-256")); }

bool AddExtension(X509* certificate, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const Extension extension(X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()));
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

bool SetName(X509* certificate, const char* name) {
  return X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                                    reinterpret_cast<const unsigned char*>(name), -1, -1, 0) == 1;
}

// All but issuer, extensions and signature.
Certificate Begin(const char* name, EVP_PKEY* key) {
  Certificate certificate(X509_new());
  std::uint64_t serial = 0;
  if (!certificate || RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof(serial)) != 1)
    return nullptr;
  const bool done = X509_set_version(certificate.get(), X509_VERSION_3) == 1 &&
                    ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate.get()), serial >> 1) == 1 &&
                    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -kHourS) != nullptr &&
                    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), kWeekS) != nullptr &&
                    X509_set_pubkey(certificate.get(), key) == 1 && SetName(certificate.get(), name);
  return done ? std::move(certificate) : nullptr;
}

bool Sign(X509* certificate, X509* issuer, EVP_PKEY* key) {
  return X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1 &&
         X509_sign(certificate, key, EVP_sha256()) > 0;
}

std::string ToPem(X509* certificate) {
  const Bio bio(BIO_new(BIO_s_mem()));
  char* text = nullptr;
  if (!bio || PEM_write_bio_X509(bio.get(), certificate) != 1) return {};
  const long size = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

int ChooseHttp11(SSL* /*tls*/, const unsigned char** chosen, unsigned char* chosen_size,
                 const unsigned char* offered, unsigned offered_size, void* /*argument*/) {
  unsigned char* found = nullptr;
  if (SSL_select_next_proto(&found, chosen_size, kHttp11.data(), kHttp11.size(), offered, offered_size) !=
      OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  *chosen = found;
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace

Expected<std::unique_ptr<Authority>> Authority::Make(const std::vector<std::string>& hosts) {
  std::unique_ptr<Authority> authority(new Authority());
  authority->key_ = MakeKey();
  authority->leaf_key_ = MakeKey();
  if (authority->key_ && authority->leaf_key_)
    authority->certificate_ = Begin("Casemate egress proxy of one run", authority->key_.get());
  X509* const own = authority->certificate_.get();
  std::string permitted = "critical";
  for (const std::string& host : hosts) {
    permitted += ",permitted;" + (host.front() == '.' ? "DNS:" + host.substr(1) : "DNS:" + host);
  }
  const bool made = own != nullptr && X509_set_issuer_name(own, X509_get_subject_name(own)) == 1 &&
                    AddExtension(own, own, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
                    AddExtension(own, own, NID_key_usage, "critical,keyCertSign,cRLSign") &&
                    AddExtension(own, own, NID_subject_key_identifier, "hash") &&
                    AddExtension(own, own, NID_name_constraints, permitted) &&
                    Sign(own, own, authority->key_.get());
  if (made) authority->pem_ = ToPem(own);
  if (!authority->pem_.empty()) return authority;
  return Fail(ErrorCode::kInternal, "the egress proxy cannot make its certificate authority");
}

SSL_CTX* Authority::ContextFor(const std::string& host) {
  const std::lock_guard lock(mutex_);
  TlsContext& context = contexts_[host];
  if (context) return context.get();
  const Certificate leaf = Begin("Casemate egress proxy", leaf_key_.get());
  X509* const own = certificate_.get();
  if (!leaf || !AddExtension(leaf.get(), own, NID_basic_constraints, "critical,CA:FALSE") ||
      !AddExtension(leaf.get(), own, NID_key_usage, "critical,digitalSignature") ||
      !AddExtension(leaf.get(), own, NID_ext_key_usage, "serverAuth") ||
      !AddExtension(leaf.get(), own, NID_subject_alt_name, "critical,DNS:" + host) ||
      !AddExtension(leaf.get(), own, NID_authority_key_identifier, "keyid:always") ||
      !Sign(leaf.get(), own, key_.get()))
    return nullptr;
  TlsContext made(SSL_CTX_new(TLS_server_method()));
  if (!made || SSL_CTX_set_min_proto_version(made.get(), TLS1_2_VERSION) != 1 ||
      SSL_CTX_use_certificate(made.get(), leaf.get()) != 1 ||
      SSL_CTX_use_PrivateKey(made.get(), leaf_key_.get()) != 1)
    return nullptr;
  SSL_CTX_set_alpn_select_cb(made.get(), ChooseHttp11, nullptr);
  context = std::move(made);
  return context.get();
}

TlsContext MakeClientContext() {
  TlsContext context(SSL_CTX_new(TLS_client_method()));
  if (!context || SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION) != 1 ||
      SSL_CTX_set_default_verify_paths(context.get()) != 1 ||
      SSL_CTX_set_alpn_protos(context.get(), kHttp11.data(), kHttp11.size()) != 0)
    return nullptr;
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  return context;
}

}  // namespace casemate::egress
