#include "secrets/aws/aws_provider.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json/serialize.hpp>

#include "model/base64.h"
#include "secrets/aws/aws_credentials.h"
#include "secrets/aws/aws_place.h"
#include "secrets/http/json_body.h"
#include "secrets/http/retry.h"

namespace casemate::secrets {
namespace {

namespace json = boost::json;

constexpr std::int64_t kValueTtlMs = 300'000;

std::unexpected<Error> Refuse(std::string message, std::string cause = {}) {
  return Fail(ErrorCode::kUnavailable, std::move(message), std::move(cause));
}

// What the service's own names of errors mean for whoever asks.
struct ServiceError {
  std::string_view name;
  std::string_view text;
};
constexpr std::array kServiceErrors = {
    ServiceError{"AccessDeniedException",
                 "may not be read with these credentials: allow secretsmanager:GetSecretValue"},
    ServiceError{"UnrecognizedClientException",
                 "is asked for with credentials that AWS does not know: check them"},
    ServiceError{"InvalidClientTokenId", "is asked for with credentials that AWS does not know: check them"},
    ServiceError{"InvalidSignatureException",
                 "is asked for with a wrong secret key, or by a wrong clock: check both"},
    ServiceError{"SignatureDoesNotMatch",
                 "is asked for with a wrong secret key, or by a wrong clock: check both"},
    ServiceError{"ExpiredTokenException", "is asked for with credentials that have ended: log in again"},
    ServiceError{"InvalidRequestException", "is marked for deletion, or has no such version: restore it"},
    ServiceError{"InvalidParameterException",
                 "cannot be asked for like this: check its name, version and stage"},
    ServiceError{"DecryptionFailure", "cannot be decrypted: allow kms:Decrypt with its key"},
    ServiceError{"ThrottlingException", "is asked for too often: try again later"},
};

// "com.amazonaws.secretsmanager#Name", "Name:http://..." or "Name".
std::string ErrorName(const HttpResponse& response) {
  std::string name;
  if (const auto header = response.headers.find("x-amzn-errortype"); header != response.headers.end()) {
    name = header->second;
  } else if (const auto body = ParseBody(response.body)) {
    name = TextAt(*body, "__type");
  }
  name = name.substr(0, name.find(':'));
  if (const std::size_t mark = name.rfind('#'); mark != std::string::npos) name = name.substr(mark + 1);
  return name;
}

bool IsThrottled(const HttpResponse& response) {
  return AsksToComeAgain(response) ||
         (response.status == 400 && ErrorName(response) == "ThrottlingException");
}

class AwsProvider : public Provider {
 public:
  AwsProvider(HttpClient& client, Variable variable)
      : client_(client), variable_(variable), chain_(client, std::move(variable)) {}

  std::string_view scheme() const override { return "aws"; }
  std::string_view form() const override { return kAwsForm; }
  bool waits() const override { return true; }
  Expected<void> Check(std::string_view place) const override { return CheckAwsPlace(place); }

  Expected<Fetched> Fetch(std::string_view text, const Deadline& deadline) override {
    const auto place = ParseAwsPlace(text);
    if (!place) return std::unexpected(place.error());
    auto response = Ask(*place, deadline);
    if (response && response->status != 200 && ErrorName(*response) == "ExpiredTokenException") {
      chain_.Forget();
      response = Ask(*place, deadline);
    }
    if (!response) return std::unexpected(response.error());
    if (response->status == 200) return TakeValue(*place, response->body);
    return Judge(*place, *response);
  }

 private:
  Expected<HttpResponse> Ask(const AwsPlace& place, const Deadline& deadline) {
    const auto profiles = AwsProfiles::Load(variable_);
    if (!profiles) return std::unexpected(profiles.error());
    const std::string region = place.region.empty() ? ChosenRegion(variable_, *profiles) : place.region;
    if (!IsAwsRegion(region)) {
      return Refuse(fmt::format("the AWS region of {} is not known: set AWS_REGION, or add ?region=eu-west-1",
                                place.id));
    }
    auto credentials = chain_.Get(deadline);
    if (!credentials) return std::unexpected(credentials.error());
    HttpRequest request;
    request.method = "POST";
    request.url = Endpoint(*profiles, region) + "/";
    json::object body;
    body["SecretId"] = place.id;
    if (!place.stage.empty()) body["VersionStage"] = place.stage;
    if (!place.version.empty()) body["VersionId"] = place.version;
    request.body = json::serialize(body);
    request.headers = {"Content-Type: application/x-amz-json-1.1",
                       "X-Amz-Target: secretsmanager.GetSecretValue"};
    request.ca_file = variable_("AWS_CA_BUNDLE");
    AwsSignature signature;
    SignWith(*credentials, region, "secretsmanager", request, signature);
    auto response = SendPatiently(client_, request, deadline, IsThrottled);
    if (response) return response;
    return Refuse(fmt::format("AWS Secrets Manager {}", response.error().message), response.error().cause);
  }

  std::string Endpoint(const AwsProfiles& profiles, const std::string& region) const {
    std::string endpoint = variable_("AWS_ENDPOINT_URL_SECRETS_MANAGER");
    if (endpoint.empty()) endpoint = variable_("AWS_ENDPOINT_URL");
    if (endpoint.empty()) endpoint = profiles.Get(ChosenProfile(variable_), "endpoint_url");
    while (endpoint.ends_with('/')) endpoint.pop_back();
    if (!endpoint.empty()) return endpoint;
    return fmt::format("https://secretsmanager.{}.amazonaws.com{}", region,
                       region.starts_with("cn-") ? ".cn" : "");
  }

  static Expected<Fetched> Judge(const AwsPlace& place, const HttpResponse& response) {
    Fetched fetched;
    const std::string name = ErrorName(response);
    if (name == "ResourceNotFoundException") {
      fetched.missing = fmt::format(
          "AWS Secrets Manager has no {} in this region (aws secretsmanager create-secret --name {})",
          place.id, place.id);
      return fetched;
    }
    const std::string cause = fmt::format("status {}", response.status);
    const auto* const row = std::ranges::find(kServiceErrors, name, &ServiceError::name);
    if (row != kServiceErrors.end()) {
      return Refuse(fmt::format("{} in AWS Secrets Manager {}", place.id, row->text),
                    fmt::format("{}, {}", cause, name));
    }
    if (response.status >= 300 && response.status < 400) {
      return Refuse("AWS Secrets Manager sends us elsewhere, where nothing is asked: check the endpoint",
                    cause);
    }
    if (response.status == 403) {
      return Refuse(
          fmt::format("{} in AWS Secrets Manager may not be read with these credentials: check them",
                      place.id),
          cause);
    }
    return Refuse(fmt::format("AWS Secrets Manager fails to give {}: try again later", place.id), cause);
  }

  static Expected<Fetched> TakeValue(const AwsPlace& place, const std::string& body) {
    const auto answer = ParseBody(body);
    if (!answer) return Refuse("AWS Secrets Manager cannot be used: " + answer.error().message);
    std::string text = TextAt(*answer, "SecretString");
    if (text.empty()) {
      auto bytes = DecodeBase64(TextAt(*answer, "SecretBinary"));
      if (!bytes || bytes->empty()) {
        return Refuse(fmt::format("{} in AWS Secrets Manager is empty: write it again", place.id));
      }
      text = *std::move(bytes);
    }
    Fetched fetched;
    if (!place.field.empty()) {
      const auto fields = ParseBody(text);
      if (!fields || !fields->is_object()) {
        return Refuse(
            fmt::format("{} in AWS Secrets Manager is no JSON object: leave out #{}", place.id, place.field));
      }
      auto field = FieldText(*fields, place.field);
      if (!field) {
        fetched.missing = fmt::format("{} in AWS Secrets Manager has no field {}", place.id, place.field);
        return fetched;
      }
      text = *std::move(field);
    }
    if (text.empty() || text.size() > kSecretBytesMax) {
      return Refuse(
          fmt::format("{} in AWS Secrets Manager is empty, or has more than {} bytes: write it again",
                      place.id, kSecretBytesMax));
    }
    auto value = SecretValue::Copy(text);
    if (!value) return std::unexpected(value.error());
    fetched.value = *std::move(value);
    fetched.ttl_ms = kValueTtlMs;
    return fetched;
  }

  HttpClient& client_;
  const Variable variable_;
  AwsCredentialChain chain_;
};

}  // namespace

std::unique_ptr<Provider> MakeAwsProvider(HttpClient& client, Variable variable) {
  return std::make_unique<AwsProvider>(client, std::move(variable));
}

}  // namespace casemate::secrets
