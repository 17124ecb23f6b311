#include "secrets/aws/aws_credentials.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <ctime>

#include "base/clock.h"
#include "secrets/aws/aws_place.h"

namespace casemate::secrets {
namespace {

constexpr int kDepthMax = 5;
// Asked for again so long before their end.
constexpr std::int64_t kMarginUs = 60'000'000;
constexpr std::int64_t kYearS = 366 * std::int64_t{86'400};

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
  if (!expiration.empty()) {
    // An end that cannot be read is near.
    const std::int64_t now = std::time(nullptr);
    const std::int64_t left_s = AwsTime(expiration).value_or(now) - now;
    credentials.until_us = MonotonicUs() + std::clamp(left_s, -kYearS, kYearS) * 1'000'000 - kMarginUs;
  }
  return credentials;
}

std::optional<std::int64_t> AwsTime(const std::string& text) {
  std::tm when{};
  const char* rest = strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &when);
  if (rest == nullptr) return std::nullopt;
  const std::int64_t time = timegm(&when);
  if (*rest == '.') rest += 1 + std::strspn(rest + 1, "0123456789");
  const std::string_view zone(rest);
  if (zone.empty() || zone == "Z" || zone == "UTC") return time;
  const auto two = [zone](std::size_t at) -> std::int64_t {
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    if (!is_digit(zone[at]) || !is_digit(zone[at + 1])) return -1;
    return (zone[at] - '0') * 10 + (zone[at + 1] - '0');
  };
  const bool formed = zone.size() == 6 && zone[3] == ':' && (zone.front() == '+' || zone.front() == '-');
  if (!formed || two(1) < 0 || two(4) < 0) return std::nullopt;
  const std::int64_t offset = two(1) * 3600 + two(4) * 60;
  return zone.front() == '+' ? time - offset : time + offset;
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
  const std::string named = profiles.Get(profile, "credential_source");
  if (!role.empty() && (!source.empty() || !named.empty())) {
    if (depth >= kDepthMax) {
      return Fail(ErrorCode::kUnavailable,
                  fmt::format("the AWS profile {} leads to itself: mend source_profile", profile));
    }
    if (!source.empty() && !named.empty()) {
      return Fail(
          ErrorCode::kUnavailable,
          fmt::format("the AWS profile {} has source_profile and credential_source: leave one out", profile));
    }
    // A profile may take its role with its own keys.
    auto base = !named.empty()                         ? FromNamedSource(named, profile, deadline)
                : source == profile && !access.empty() ? keys()
                                                       : FromProfile(profiles, source, depth + 1, deadline);
    if (!base) return base;
    if (!*base) {
      return Fail(ErrorCode::kUnavailable, fmt::format("the AWS profile {} has no credentials: mend it",
                                                       source.empty() ? profile : source));
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
  if (const std::string command = profiles.Get(profile, "credential_process"); !command.empty()) {
    return some(FromProcess(command, profile, deadline));
  }
  return std::nullopt;
}

// What `credential_source` names, for a role that is taken with it.
Expected<std::optional<AwsCredentials>> AwsCredentialChain::FromNamedSource(const std::string& name,
                                                                            const std::string& profile,
                                                                            const Deadline& deadline) const {
  if (name == "Environment") return FromEnvironment();
  if (name == "EcsContainer") return FromContainer(deadline);
  if (name == "Ec2InstanceMetadata") {
    auto credentials = FromInstance(deadline);
    if (!credentials) return std::unexpected(credentials.error());
    return *std::move(credentials);
  }
  return Fail(
      ErrorCode::kUnavailable,
      fmt::format("the AWS profile {} has no known credential_source: write Environment, EcsContainer or "
                  "Ec2InstanceMetadata",
                  profile));
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
