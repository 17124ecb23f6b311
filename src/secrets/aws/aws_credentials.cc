#include "secrets/aws/aws_credentials.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>

#include "base/clock.h"
#include "secrets/aws/aws_place.h"

namespace casemate::secrets {
namespace {

constexpr int kDepthMax = 5;
// Asked for again so long before their end.
constexpr std::int64_t kMarginUs = 60'000'000;

Expected<std::shared_ptr<const SecretValue>> Keep(const std::string& text) {
  auto value = SecretValue::Copy(text);
  if (!value) return std::unexpected(value.error());
  return std::make_shared<const SecretValue>(*std::move(value));
}

}  // namespace

Expected<AwsCredentials> MakeAwsCredentials(const std::string& access_key, const std::string& secret_key,
                                            const std::string& session_token, const std::string& expiration) {
  AwsCredentials credentials;
  credentials.access_key = access_key;
  auto secret = Keep(secret_key);
  if (!secret) return std::unexpected(secret.error());
  credentials.secret_key = *std::move(secret);
  if (!session_token.empty()) {
    auto token = Keep(session_token);
    if (!token) return std::unexpected(token.error());
    credentials.session_token = *std::move(token);
  }
  std::tm when{};
  if (!expiration.empty() && strptime(expiration.c_str(), "%Y-%m-%dT%H:%M:%S", &when) != nullptr) {
    const std::int64_t left_s = timegm(&when) - std::time(nullptr);
    credentials.until_us = MonotonicUs() + left_s * 1'000'000 - kMarginUs;
  }
  return credentials;
}

Expected<AwsCredentials> AwsCredentialChain::Get(const Deadline& deadline) {
  const std::lock_guard lock(mutex_);
  if (kept_ && MonotonicUs() < kept_->until_us) return *kept_;
  auto found = Find(deadline);
  if (found) kept_ = *found;
  return found;
}

void AwsCredentialChain::Forget() {
  const std::lock_guard lock(mutex_);
  kept_.reset();
}

Expected<std::optional<AwsCredentials>> AwsCredentialChain::FromEnvironment() const {
  const std::string access = variable_("AWS_ACCESS_KEY_ID");
  const std::string secret = variable_("AWS_SECRET_ACCESS_KEY");
  if (access.empty() && secret.empty()) return std::nullopt;
  if (access.empty() || secret.empty()) {
    return Fail(ErrorCode::kUnavailable,
                "only one of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY is set: set both, or neither");
  }
  auto made = MakeAwsCredentials(access, secret, variable_("AWS_SESSION_TOKEN"), "");
  if (!made) return std::unexpected(made.error());
  return *std::move(made);
}

Expected<AwsCredentials> AwsCredentialChain::Find(const Deadline& deadline) const {
  auto found = FromEnvironment();
  if (!found) return std::unexpected(found.error());
  if (*found) return **std::move(found);
  const auto profiles = AwsProfiles::Load(variable_);
  if (!profiles) return std::unexpected(profiles.error());
  const std::string file = variable_("AWS_WEB_IDENTITY_TOKEN_FILE");
  if (!file.empty()) {
    return FromWebIdentity(file, variable_("AWS_ROLE_ARN"), ChosenRegion(variable_, *profiles), deadline);
  }
  const std::string profile = ChosenProfile(variable_);
  if (profile != "default" && !profiles->Has(profile)) {
    return Fail(ErrorCode::kUnavailable,
                fmt::format("there is no AWS profile {}: check AWS_PROFILE and ~/.aws/config", profile));
  }
  found = FromProfile(*profiles, profile, 0, deadline);
  if (!found) return std::unexpected(found.error());
  if (*found) return **std::move(found);
  found = FromContainer(deadline);
  if (!found) return std::unexpected(found.error());
  if (*found) return **std::move(found);
  return FromInstance(deadline);
}

Expected<std::optional<AwsCredentials>>
AwsCredentialChain::FromProfile(  // NOLINT(misc-no-recursion): kDepthMax
    const AwsProfiles& profiles, const std::string& profile, int depth, const Deadline& deadline) const {
  const auto some = [](Expected<AwsCredentials> made) -> Expected<std::optional<AwsCredentials>> {
    if (!made) return std::unexpected(made.error());
    return *std::move(made);
  };
  const std::string access = profiles.Get(profile, "aws_access_key_id");
  const auto keys = [&] {
    return some(MakeAwsCredentials(access, profiles.Get(profile, "aws_secret_access_key"),
                                   profiles.Get(profile, "aws_session_token"), ""));
  };
  const std::string role = profiles.Get(profile, "role_arn");
  const std::string source = profiles.Get(profile, "source_profile");
  if (!role.empty() && !source.empty()) {
    if (depth >= kDepthMax) {
      return Fail(ErrorCode::kUnavailable,
                  fmt::format("the AWS profile {} leads to itself: mend source_profile", profile));
    }
    // A profile may take its role with its own keys.
    auto base =
        source == profile && !access.empty() ? keys() : FromProfile(profiles, source, depth + 1, deadline);
    if (!base) return base;
    if (!*base) {
      return Fail(ErrorCode::kUnavailable,
                  fmt::format("the AWS profile {} has no credentials: mend it", source));
    }
    return some(FromRole(**base, role, profiles, profile, deadline));
  }
  if (!role.empty()) {
    const std::string file = profiles.Get(profile, "web_identity_token_file");
    if (!file.empty()) {
      return some(FromWebIdentity(file, role, ChosenRegion(variable_, profiles), deadline));
    }
  }
  if (!profiles.Get(profile, "sso_account_id").empty()) return some(FromSso(profiles, profile, deadline));
  if (!access.empty()) return keys();
  if (!profiles.Get(profile, "credential_process").empty()) {
    return Fail(ErrorCode::kUnavailable,
                fmt::format("the AWS profile {} asks a credential_process, which is not supported: set "
                            "AWS_ACCESS_KEY_ID and its companions from it",
                            profile));
  }
  return std::nullopt;
}

std::string AwsCredentialChain::Endpoint(const char* service, const std::string& usual) const {
  std::string endpoint = variable_((std::string("AWS_ENDPOINT_URL_") + service).c_str());
  if (endpoint.empty()) endpoint = variable_("AWS_ENDPOINT_URL");
  if (endpoint.empty()) endpoint = usual;
  while (endpoint.ends_with('/')) endpoint.pop_back();
  return endpoint;
}

std::string XmlText(std::string_view xml, std::string_view name) {
  const std::string open = fmt::format("<{}>", name);
  const std::size_t begin = xml.find(open);
  if (begin == std::string_view::npos) return {};
  const std::string_view rest = xml.substr(begin + open.size());
  const std::size_t end = rest.find(fmt::format("</{}>", name));
  return end == std::string_view::npos ? std::string() : std::string(rest.substr(0, end));
}

void SignWith(const AwsCredentials& credentials, const std::string& region, const std::string& service,
              HttpRequest& request, AwsSignature& signature) {
  signature = {region, service, credentials.access_key, std::string(credentials.secret_key->Reveal())};
  if (credentials.session_token) {
    request.headers.push_back("X-Amz-Security-Token: " + std::string(credentials.session_token->Reveal()));
  }
  request.sign = &signature;
}

}  // namespace casemate::secrets
