#pragma once

#include <boost/json/value.hpp>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "casemate/secret.h"
#include "secrets/http/client.h"

namespace casemate::secrets {

// A variable of the environment; "" when it is not set.
using Variable = std::function<std::string(const char* name)>;

// The server that VAULT_ADDR (or BAO_ADDR) names, and how this process is known to it. Thread-safe.
//
// Who we are is taken from the first of these that is set: VAULT_WRAPPED_TOKEN, VAULT_TOKEN, VAULT_ROLE_ID
// with VAULT_SECRET_ID (AppRole), VAULT_KUBERNETES_ROLE (the token of the pod's service account),
// VAULT_USERNAME with VAULT_PASSWORD (userpass), the file ~/.vault-token. VAULT_AUTH_PATH names another mount
// of the login method; VAULT_NAMESPACE, VAULT_CACERT, VAULT_CAPATH, VAULT_CLIENT_CERT and VAULT_CLIENT_KEY
// are those of Vault's own command. For each there is a BAO_ name too.
class VaultServer {
 public:
  VaultServer(HttpClient& client, Variable variable) : client_(client), variable_(std::move(variable)) {}

  struct Answer {
    long status = 0;  // 200, 204 or 404
    boost::json::value body;
  };
  // Logged in. `path` is what follows "/v1/". Statuses other than 200, 204 and 404 are errors that say what
  // to do; a token of our own login that is refused is renewed once by another login.
  Expected<Answer> Call(std::string_view method, const std::string& path, const std::string& body,
                        const Deadline& deadline);

  // Ends the login that we made, if any.
  void LogOut(const Deadline& deadline);

 private:
  struct Token {
    std::shared_ptr<const SecretValue> value;
    bool ours = false;  // by a login
    std::int64_t until_us = 0;
  };
  std::string Setting(const char* name) const;  // VAULT_name or BAO_name
  Expected<std::string> Address() const;
  Expected<HttpResponse> Send(std::string_view method, const std::string& path, const std::string& body,
                              const SecretValue* token, const Deadline& deadline) const;
  Expected<boost::json::value> Unauthenticated(const std::string& path, const std::string& body,
                                               const SecretValue* token, const Deadline& deadline) const;
  Expected<Token> LogIn(const Deadline& deadline) const;
  Expected<Token> Unwrap(const SecretValue& wrapped, const Deadline& deadline) const;
  Expected<Token> AppRole(const std::string& secret_id, const Deadline& deadline) const;
  Expected<Token> Kubernetes(const std::string& role, const Deadline& deadline) const;
  Expected<Token> TokenOf(Expected<boost::json::value> answer) const;
  Expected<Token> CurrentToken(const Token* refused, const Deadline& deadline);
  Error StatusError(const HttpResponse& response) const;

  HttpClient& client_;
  const Variable variable_;
  std::mutex mutex_;
  std::optional<Token> token_;
};

}  // namespace casemate::secrets
