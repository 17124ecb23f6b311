// The places of AwsCredentialChain that are asked over HTTP.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/uuid/detail/sha1.hpp>
#include <ctime>

#include "base/file.h"
#include "secrets/aws/aws_credentials.h"
#include "secrets/aws/aws_place.h"
#include "secrets/aws/aws_sso.h"
#include "secrets/http/json_body.h"
#include "secrets/http/retry.h"

namespace casemate::secrets {
namespace {

namespace json = boost::json;

constexpr std::size_t kFileBytesMax = 64 * std::size_t{1024};
constexpr const char* kContainerHost = "http://169.254.170.2";
constexpr const char* kInstanceHost = "http://169.254.169.254";
// There is none where nothing answers soon.
constexpr std::int64_t kInstanceMs = 1'000;

std::unexpected<Error> Refuse(std::string message, std::string cause = {}) {
  return Fail(ErrorCode::kUnavailable, std::move(message), std::move(cause));
}

// For a query or a form (RFC 3986, unreserved characters stay).
std::string Escape(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("-_.~").contains(c);
    if (plain) {
      escaped += c;
    } else {
      escaped += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return escaped;
}

std::string Sha1Hex(std::string_view text) {
  // A name by the AWS command's convention, not for security.
  boost::uuids::detail::sha1 sha1;
  sha1.process_bytes(text.data(), text.size());
  boost::uuids::detail::sha1::digest_type digest{};
  sha1.get_digest(digest);
  std::string hex;
  for (const unsigned int word : digest) hex += fmt::format("{:08x}", word);
  return hex;
}

std::string Trimmed(std::string text) {
  while (text.ends_with('\n') || text.ends_with('\r') || text.ends_with(' ')) text.pop_back();
  return text;
}

// An answer of the container's or the instance's service.
Expected<AwsCredentials> FromJson(const std::string& body, std::string_view who) {
  const auto parsed = ParseBody(body);
  if (!parsed) return Refuse(fmt::format("{} cannot be used: {}", who, parsed.error().message));
  const std::string access = TextAt(*parsed, "AccessKeyId");
  const std::string secret = TextAt(*parsed, "SecretAccessKey");
  if (access.empty() || secret.empty())
    return Refuse(fmt::format("{} has no credentials: give it a role", who));
  return MakeAwsCredentials(access, secret, TextAt(*parsed, "Token"), TextAt(*parsed, "Expiration"));
}

std::unexpected<Error> Behind(std::string_view who, const Error& error) {
  return Refuse(fmt::format("{} {}", who, error.message), error.cause);
}

bool IsBesideUs(std::string_view url) {
  constexpr std::string_view kScheme = "http://";
  constexpr std::array<std::string_view, 5> kHosts = {"localhost", "[::1]", "169.254.170.2", "169.254.170.23",
                                                      "[fd00:ec2::23]"};
  if (!url.starts_with(kScheme)) return false;
  url.remove_prefix(kScheme.size());
  if (url.substr(0, url.find('/')).contains('@')) return false;
  const std::size_t close = url.starts_with('[') ? std::min(url.find(']'), url.size()) : 0;
  const std::string_view host = url.substr(0, url.find_first_of("/:?#", close));
  if (host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string_view::npos)
    return true;
  return std::ranges::find(kHosts, host) != kHosts.end();
}

}  // namespace

Expected<AwsCredentials> AwsCredentialChain::AskSts(std::string body, const std::string& region,
                                                    const AwsCredentials* signer,
                                                    const Deadline& deadline) const {
  if (!IsAwsRegion(region))
    return Refuse("the AWS region is not known: set AWS_REGION=eu-west-1, or the like");
  HttpRequest request;
  request.method = "POST";
  request.url = Endpoint("STS", fmt::format("https://sts.{}.amazonaws.com{}", region,
                                            region.starts_with("cn-") ? ".cn" : "")) +
                "/";
  request.headers = {"Content-Type: application/x-www-form-urlencoded; charset=utf-8"};
  request.body = std::move(body);
  request.ca_file = variable_("AWS_CA_BUNDLE");
  AwsSignature signature;
  if (signer != nullptr) SignWith(*signer, region, "sts", request, signature);
  auto response = SendPatiently(client_, request, deadline);
  if (!response) return Behind("AWS STS", response.error());
  const std::string access = XmlText(response->body, "AccessKeyId");
  const std::string secret = XmlText(response->body, "SecretAccessKey");
  if (response->status != 200 || access.empty() || secret.empty()) {
    const std::string code = XmlText(response->body, "Code");
    const bool plain = !code.empty() && code.size() < 64 && std::ranges::all_of(code, [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.';
    });
    return Refuse("AWS STS gives no credentials for the role: check role_arn, its trust, and the token's age",
                  fmt::format("status {}{}{}", response->status, plain ? ", " : "", plain ? code : ""));
  }
  return MakeAwsCredentials(access, secret, XmlText(response->body, "SessionToken"),
                            XmlText(response->body, "Expiration"));
}

Expected<AwsCredentials> AwsCredentialChain::FromWebIdentity(const std::string& file, const std::string& role,
                                                             const std::string& region,
                                                             const Deadline& deadline) const {
  if (role.empty()) return Refuse("AWS_WEB_IDENTITY_TOKEN_FILE is set without AWS_ROLE_ARN: set it too");
  auto token = ReadFile(file, kFileBytesMax);
  if (!token) return Refuse("the file of AWS_WEB_IDENTITY_TOKEN_FILE cannot be read", token.error().message);
  std::string session = variable_("AWS_ROLE_SESSION_NAME");
  if (session.empty()) session = "casemate";
  return AskSts(
      fmt::format("Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn={}&RoleSessionName={}&"
                  "WebIdentityToken={}",
                  Escape(role), Escape(session), Escape(Trimmed(*std::move(token)))),
      region, nullptr, deadline);
}

Expected<AwsCredentials> AwsCredentialChain::FromRole(const AwsCredentials& source, const std::string& role,
                                                      const AwsProfiles& profiles, const std::string& profile,
                                                      const Deadline& deadline) const {
  if (!profiles.Get(profile, "mfa_serial").empty()) {
    return Refuse(
        fmt::format("the AWS profile {} asks for a code by hand (mfa_serial): set AWS_ACCESS_KEY_ID and its "
                    "companions from aws sts assume-role",
                    profile));
  }
  std::string session = profiles.Get(profile, "role_session_name");
  if (session.empty()) session = "casemate";
  std::string body = fmt::format("Action=AssumeRole&Version=2011-06-15&RoleArn={}&RoleSessionName={}",
                                 Escape(role), Escape(session));
  if (const std::string id = profiles.Get(profile, "external_id"); !id.empty())
    body += "&ExternalId=" + Escape(id);
  std::string region = profiles.Get(profile, "region");
  if (region.empty()) region = ChosenRegion(variable_, profiles);
  return AskSts(std::move(body), region, &source, deadline);
}

// What `aws sso login` has left: a token, in a file that is named by the hash of the session or the start
// URL.
Expected<AwsCredentials> AwsCredentialChain::FromSso(const AwsProfiles& profiles, const std::string& profile,
                                                     const Deadline& deadline) const {
  const std::string session = profiles.Get(profile, "sso_session");
  const bool named = !session.empty();
  const std::string start_url =
      named ? profiles.SsoSession(session, "sso_start_url") : profiles.Get(profile, "sso_start_url");
  const std::string region =
      named ? profiles.SsoSession(session, "sso_region") : profiles.Get(profile, "sso_region");
  const std::string again = fmt::format("run aws sso login --profile {}", profile);
  if (!IsAwsRegion(region) || start_url.empty()) {
    return Refuse(
        fmt::format("the AWS profile {} has no sso_region or sso_start_url: run aws configure sso", profile));
  }
  const std::string path =
      fmt::format("{}/.aws/sso/cache/{}.json", variable_("HOME"), Sha1Hex(named ? session : start_url));
  const auto text = ReadFile(path, kFileBytesMax);
  const auto cache = text ? ParseBody(*text) : std::unexpected(text.error());
  if (!cache || !cache->is_object())
    return Refuse(fmt::format("there is no login at AWS SSO for the profile {}: {}", profile, again));
  SsoLogin login{path, *cache};
  Expected<void> refreshed;
  if (named && IsRefreshable(login, std::time(nullptr))) {
    refreshed =
        RefreshSso(client_, Endpoint("SSO_OIDC", fmt::format("https://oidc.{}.amazonaws.com", region)),
                   variable_("AWS_CA_BUNDLE"), deadline, login);
  }
  // One that cannot be made new yet is good until its end.
  if (SsoEnd(login) <= std::time(nullptr)) {
    return Refuse(fmt::format("the login at AWS SSO for the profile {} has ended{}: {}", profile,
                              refreshed ? "" : ", and " + refreshed.error().message, again),
                  refreshed ? "" : refreshed.error().cause);
  }
  HttpRequest request;
  request.url = fmt::format("{}/federation/credentials?role_name={}&account_id={}",
                            Endpoint("SSO", fmt::format("https://portal.sso.{}.amazonaws.com", region)),
                            Escape(profiles.Get(profile, "sso_role_name")),
                            Escape(profiles.Get(profile, "sso_account_id")));
  request.headers = {"x-amz-sso_bearer_token: " + TextAt(login.cache, "accessToken")};
  request.ca_file = variable_("AWS_CA_BUNDLE");
  const auto response = SendPatiently(client_, request, deadline);
  if (!response) return Behind("AWS SSO", response.error());
  const auto body = response->status == 200 ? ParseBody(response->body) : json::value(nullptr);
  const std::string access = body ? TextAt(*body, "roleCredentials.accessKeyId") : "";
  if (access.empty()) {
    return Refuse(fmt::format("AWS SSO gives no credentials for the profile {}: {}", profile, again),
                  fmt::format("status {}", response->status));
  }
  auto credentials = MakeAwsCredentials(access, TextAt(*body, "roleCredentials.secretAccessKey"),
                                        TextAt(*body, "roleCredentials.sessionToken"), "");
  const std::int64_t end_ms = NumberAt(*body, "roleCredentials.expiration");
  if (credentials && end_ms > 0) {
    credentials->until_us = MonotonicUs() + (end_ms / 1000 - std::time(nullptr) - 60) * 1'000'000;
  }
  return credentials;
}

Expected<std::optional<AwsCredentials>> AwsCredentialChain::FromContainer(const Deadline& deadline) const {
  const std::string relative = variable_("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
  const std::string full = variable_("AWS_CONTAINER_CREDENTIALS_FULL_URI");
  if (relative.empty() && full.empty()) return std::nullopt;
  HttpRequest request;
  request.url =
      relative.empty() ? full : kContainerHost + (relative.starts_with('/') ? relative : "/" + relative);
  // The token would go to whoever this names.
  if (relative.empty() && !full.starts_with("https://") && !IsBesideUs(full)) {
    return Refuse(
        "AWS_CONTAINER_CREDENTIALS_FULL_URI is neither https nor an address of this machine: mend it");
  }
  std::string token = variable_("AWS_CONTAINER_AUTHORIZATION_TOKEN");
  if (const std::string file = variable_("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"); !file.empty()) {
    auto text = ReadFile(file, kFileBytesMax);
    if (!text)
      return Refuse("the file of AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE cannot be read",
                    text.error().message);
    token = Trimmed(*std::move(text));
  }
  if (token.find_first_of("\r\n") != std::string::npos)
    return Refuse("the container's token has a line break in it");
  if (!token.empty()) request.headers.push_back("Authorization: " + token);
  request.use_proxy = false;
  const auto response = SendPatiently(client_, request, deadline);
  if (!response) return Behind("the container's credentials service", response.error());
  if (response->status != 200) {
    return Refuse("the container's credentials service refuses: check the task's role",
                  fmt::format("status {}", response->status));
  }
  auto credentials = FromJson(response->body, "the container's credentials service");
  if (!credentials) return std::unexpected(credentials.error());
  return *std::move(credentials);
}

Expected<AwsCredentials> AwsCredentialChain::FromInstance(const Deadline& deadline) const {
  const auto nowhere = [](std::string cause) {
    return Refuse(
        "there are no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run aws configure",
        std::move(cause));
  };
  if (variable_("AWS_EC2_METADATA_DISABLED") == "true") return nowhere("");
  std::string host = variable_("AWS_EC2_METADATA_SERVICE_ENDPOINT");
  if (host.empty()) host = kInstanceHost;
  while (host.ends_with('/')) host.pop_back();
  HttpRequest request;
  request.use_proxy = false;
  request.method = "PUT";
  request.url = host + "/latest/api/token";
  request.headers = {"X-aws-ec2-metadata-token-ttl-seconds: 21600"};
  const auto token = client_.Send(request, Deadline::After(std::min(kInstanceMs, deadline.RemainingMs())));
  if (!token) return nowhere("no metadata service: " + token.error().message);
  if (token->status != 200 || token->body.find_first_of("\r\n") != std::string::npos) {
    return nowhere(fmt::format("the metadata service gives no token, status {}", token->status));
  }
  request.method = "GET";
  request.headers = {"X-aws-ec2-metadata-token: " + token->body};
  request.url = host + "/latest/meta-data/iam/security-credentials/";
  const std::string roles = request.url;
  const auto role = SendPatiently(client_, request, deadline);
  if (!role || role->status != 200) return nowhere("the instance has no role");
  request.url = roles + Escape(Trimmed(role->body.substr(0, role->body.find('\n'))));
  const auto response = SendPatiently(client_, request, deadline);
  if (!response) return Behind("the instance's metadata service", response.error());
  return FromJson(response->body, "the instance's metadata service");
}

}  // namespace casemate::secrets
