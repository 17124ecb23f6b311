#include "secrets/vault/vault_server.h"

#include <fmt/format.h>

#include <boost/json/serialize.hpp>

#include "base/file.h"
#include "secrets/http/json_body.h"
#include "secrets/http/retry.h"

namespace casemate::secrets {
namespace {

namespace json = boost::json;

constexpr const char* kServiceAccountToken = "/var/run/secrets/kubernetes.io/serviceaccount/token";
constexpr std::size_t kTokenBytesMax = 16 * std::size_t{1024};
// A token that ends so soon is not used for another call.
constexpr std::int64_t kMarginMs = 5'000;

std::string Body(std::initializer_list<std::pair<std::string_view, std::string_view>> members) {
  json::object object;
  for (const auto& [name, value] : members) {
    object[json::string_view(name.data(), name.size())] = json::string_view(value.data(), value.size());
  }
  return json::serialize(object);
}

std::string Trimmed(std::string text) {
  while (text.ends_with('\n') || text.ends_with('\r') || text.ends_with(' ')) text.pop_back();
  return text;
}

}  // namespace

std::string VaultServer::Setting(const char* name) const {
  std::string value = variable_((std::string("VAULT_") + name).c_str());
  return value.empty() ? variable_((std::string("BAO_") + name).c_str()) : value;
}

Expected<std::string> VaultServer::Address() const {
  std::string address = Setting("ADDR");
  while (address.ends_with('/')) address.pop_back();
  if (address.empty()) {
    return Fail(ErrorCode::kUnavailable,
                "the address of Vault is not known: set VAULT_ADDR=https://HOST:8200");
  }
  const bool good = (address.starts_with("http://") || address.starts_with("https://")) &&
                    address.find('@') == std::string::npos &&
                    address.find_first_of(" \t\r\n?#") == std::string::npos;
  if (good) return address;
  return Fail(ErrorCode::kUnavailable,
              "VAULT_ADDR is no address: write https://HOST:8200, without a user or path");
}

Expected<HttpResponse> VaultServer::Send(std::string_view method, const std::string& path,
                                         const std::string& body, const SecretValue* token,
                                         const Deadline& deadline) const {
  const auto address = Address();
  if (!address) return std::unexpected(address.error());
  if (!Setting("SKIP_VERIFY").empty()) {
    return Fail(
        ErrorCode::kUnavailable,
        "VAULT_SKIP_VERIFY is set, and a server that is not verified gets no token: unset it, and name the "
        "authority's file with VAULT_CACERT");
  }
  HttpRequest request;
  request.method = method;
  request.url = *address + "/v1/" + path;
  request.body = body;
  request.headers.emplace_back("X-Vault-Request: true");
  if (token != nullptr) request.headers.push_back("X-Vault-Token: " + std::string(token->Reveal()));
  if (const std::string ns = Setting("NAMESPACE"); !ns.empty()) {
    request.headers.push_back("X-Vault-Namespace: " + ns);
  }
  if (!body.empty()) request.headers.emplace_back("Content-Type: application/json");
  request.ca_file = Setting("CACERT");
  request.ca_folder = Setting("CAPATH");
  request.client_certificate = Setting("CLIENT_CERT");
  request.client_key = Setting("CLIENT_KEY");
  auto response = SendPatiently(client_, request, deadline);
  if (response) return response;
  Error error = response.error();
  error.message = fmt::format("Vault at {} {}", *address, error.message);
  return std::unexpected(std::move(error));
}

// Nothing of what the server says is repeated: it may be anybody.
Error VaultServer::StatusError(const HttpResponse& response) const {
  const std::string address = Address().value_or("");
  const auto error = [&address](std::string_view what, std::string cause = {}) {
    return Error{ErrorCode::kUnavailable, fmt::format("Vault at {} {}", address, what), std::move(cause)};
  };
  switch (response.status) {
    case 400:
      return error("does not understand the request; check the path and the login", "status 400");
    case 403:
      return error(
          "refuses access; the token may have expired, its policies lack this path, or nothing is mounted "
          "there",
          "status 403");
    case 429:
      return error("has too many requests; try again later", "status 429");
    case 503:
      return error("is sealed or in maintenance; unseal it, or try again later", "status 503");
    default:
      break;
  }
  if (response.status >= 300 && response.status < 400) {
    return error("sends us elsewhere, where no token is sent; name the active server in VAULT_ADDR",
                 fmt::format("status {}", response.status));
  }
  return error("fails; look into its log, and try again later", fmt::format("status {}", response.status));
}

Expected<json::value> VaultServer::Unauthenticated(const std::string& path, const std::string& body,
                                                   const SecretValue* token, const Deadline& deadline) const {
  auto response = Send("POST", path, body, token, deadline);
  if (!response) return std::unexpected(response.error());
  if (response->status == 404) {
    return Fail(ErrorCode::kUnavailable,
                fmt::format("Vault has no login at {}: name its mount with VAULT_AUTH_PATH",
                            path.substr(0, path.rfind("/login"))));
  }
  if (response->status != 200) return std::unexpected(StatusError(*response));
  auto parsed = ParseBody(response->body);
  if (!parsed) return Fail(parsed.error().code, "Vault cannot be used: " + parsed.error().message);
  return parsed;
}

Expected<VaultServer::Token> VaultServer::TokenOf(Expected<json::value> answer) const {
  if (!answer) return std::unexpected(answer.error());
  const std::string text = TextAt(*answer, "auth.client_token");
  if (text.empty()) return Fail(ErrorCode::kUnavailable, "Vault's answer to the login has no token in it");
  auto value = SecretValue::Copy(text);
  if (!value) return std::unexpected(value.error());
  const std::int64_t seconds = NumberAt(*answer, "auth.lease_duration");
  constexpr std::int64_t kForEver = INT64_MAX;
  const std::int64_t until = seconds > 0 ? MonotonicUs() + (seconds * 1000 - kMarginMs) * 1000 : kForEver;
  return Token{std::make_shared<const SecretValue>(*std::move(value)), true, until};
}

Expected<VaultServer::Token> VaultServer::AppRole(const std::string& secret_id,
                                                  const Deadline& deadline) const {
  const std::string mount = Setting("AUTH_PATH");
  return TokenOf(Unauthenticated(fmt::format("auth/{}/login", mount.empty() ? "approle" : mount),
                                 Body({{"role_id", Setting("ROLE_ID")}, {"secret_id", secret_id}}), nullptr,
                                 deadline));
}

Expected<VaultServer::Token> VaultServer::Kubernetes(const std::string& role,
                                                     const Deadline& deadline) const {
  const std::string file = Setting("KUBERNETES_TOKEN_FILE");
  auto jwt = ReadFile(file.empty() ? kServiceAccountToken : file, kTokenBytesMax);
  if (!jwt) {
    return Fail(ErrorCode::kUnavailable,
                "the pod's service account token cannot be read: set VAULT_KUBERNETES_TOKEN_FILE",
                jwt.error().message);
  }
  const std::string mount = Setting("AUTH_PATH");
  return TokenOf(Unauthenticated(fmt::format("auth/{}/login", mount.empty() ? "kubernetes" : mount),
                                 Body({{"role", role}, {"jwt", Trimmed(*std::move(jwt))}}), nullptr,
                                 deadline));
}

// What is wrapped is a token, the answer to a login, or the secret id of an AppRole.
Expected<VaultServer::Token> VaultServer::Unwrap(const SecretValue& wrapped, const Deadline& deadline) const {
  auto answer = Unauthenticated("sys/wrapping/unwrap", "", &wrapped, deadline);
  if (!answer) return std::unexpected(answer.error());
  if (const std::string id = TextAt(*answer, "data.secret_id"); !id.empty()) return AppRole(id, deadline);
  const std::string text = TextAt(*answer, "data.token");
  if (text.empty()) return TokenOf(std::move(answer));
  auto value = SecretValue::Copy(text);
  if (!value) return std::unexpected(value.error());
  return Token{std::make_shared<const SecretValue>(*std::move(value)), true, INT64_MAX};
}

Expected<VaultServer::Token> VaultServer::LogIn(const Deadline& deadline) const {
  const auto given = [](const std::string& text) -> Expected<Token> {
    auto value = SecretValue::Copy(text);
    if (!value) return std::unexpected(value.error());
    if (text.find_first_of("\r\n") != std::string::npos) {
      return Fail(ErrorCode::kUnavailable, "the token for Vault has a line break in it: set it again");
    }
    return Token{std::make_shared<const SecretValue>(*std::move(value)), false, INT64_MAX};
  };
  if (const std::string wrapped = Setting("WRAPPED_TOKEN"); !wrapped.empty()) {
    auto token = given(wrapped);
    if (!token) return token;
    return Unwrap(*token->value, deadline);
  }
  if (const std::string token = Setting("TOKEN"); !token.empty()) return given(token);
  if (!Setting("ROLE_ID").empty()) return AppRole(Setting("SECRET_ID"), deadline);
  if (const std::string role = Setting("KUBERNETES_ROLE"); !role.empty()) return Kubernetes(role, deadline);
  if (const std::string user = Setting("USERNAME"); !user.empty()) {
    const std::string mount = Setting("AUTH_PATH");
    return TokenOf(Unauthenticated(fmt::format("auth/{}/login/{}", mount.empty() ? "userpass" : mount, user),
                                   Body({{"password", Setting("PASSWORD")}}), nullptr, deadline));
  }
  if (auto file = ReadFile(variable_("HOME") + "/.vault-token", kTokenBytesMax)) {
    return given(Trimmed(*std::move(file)));
  }
  return Fail(
      ErrorCode::kUnavailable,
      "Vault does not know us: set VAULT_TOKEN, VAULT_ROLE_ID and VAULT_SECRET_ID, VAULT_KUBERNETES_ROLE, or "
      "VAULT_USERNAME and VAULT_PASSWORD");
}

// One login for all that ask at once. `refused`: the token that the server did not take.
Expected<VaultServer::Token> VaultServer::CurrentToken(const Token* refused, const Deadline& deadline) {
  const std::lock_guard lock(mutex_);
  const bool usable =
      token_ && MonotonicUs() < token_->until_us && (refused == nullptr || refused->value != token_->value);
  if (usable) return *token_;
  auto token = LogIn(deadline);
  if (token) token_ = *token;
  return token;
}

Expected<VaultServer::Answer> VaultServer::Call(std::string_view method, const std::string& path,
                                                const std::string& body, const Deadline& deadline) {
  auto token = CurrentToken(nullptr, deadline);
  if (!token) return std::unexpected(token.error());
  auto response = Send(method, path, body, token->value.get(), deadline);
  // A wrapped token is spent by its first use, and a given one would be the same again.
  if (response && response->status == 403 && token->ours && Setting("WRAPPED_TOKEN").empty()) {
    const Token refused = *token;
    token = CurrentToken(&refused, deadline);
    if (!token) return std::unexpected(token.error());
    response = Send(method, path, body, token->value.get(), deadline);
  }
  if (!response) return std::unexpected(response.error());
  if (response->status != 200 && response->status != 204 && response->status != 404) {
    return std::unexpected(StatusError(*response));
  }
  Answer answer{response->status, nullptr};
  if (response->status == 204) return answer;
  auto parsed = ParseBody(response->body);
  if (parsed) {
    answer.body = *std::move(parsed);
  } else if (response->status == 200) {
    return Fail(parsed.error().code, "Vault cannot be used: " + parsed.error().message);
  }
  return answer;
}

void VaultServer::LogOut(const Deadline& deadline) {
  const std::lock_guard lock(mutex_);
  if (token_ && token_->ours) (void)Send("POST", "auth/token/revoke-self", "", token_->value.get(), deadline);
  token_.reset();
}

}  // namespace casemate::secrets
