// link: secrets_vault secrets_aws secrets_http secrets_provider model base
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "secrets/aws/aws_credentials.h"
#include "secrets/aws/aws_place.h"
#include "secrets/aws/aws_profile.h"
#include "secrets/aws/aws_provider.h"
#include "secrets/vault/vault_place.h"
#include "secrets/vault/vault_provider.h"

namespace casemate::secrets {
namespace {

// Answers with the input's pieces, one a request: a byte that chooses the status, then the body up to a 0x1E.
class FuzzedServer : public HttpClient {
 public:
  explicit FuzzedServer(std::string_view input) : left_(input) {}
  Expected<HttpResponse> Send(const HttpRequest& /*request*/, const Deadline& /*deadline*/) override {
    if (left_.empty()) return Fail(ErrorCode::kUnavailable, "cannot be reached");
    constexpr long kStatuses[] = {200, 200, 200, 404,
                                  403, 400, 301, 204};  // NOLINT(modernize-avoid-c-arrays)
    HttpResponse response;
    response.status = kStatuses[static_cast<unsigned char>(left_.front()) % 8];
    left_.remove_prefix(1);
    const std::size_t end = left_.find('\x1e');
    response.body = left_.substr(0, end);
    left_.remove_prefix(end == std::string_view::npos ? left_.size() : end + 1);
    return response;
  }

 private:
  std::string_view left_;
};

void Check(const Expected<Fetched>& fetched) {
  if (!fetched) {
    if (fetched.error().message.empty()) std::abort();
  } else if (fetched->value ? fetched->value->size() > kSecretBytesMax : fetched->missing.empty()) {
    std::abort();
  }
}

std::string Setting(const char* name) {
  const std::string_view key(name);
  if (key == "VAULT_ADDR") return "http://vault";
  if (key == "VAULT_USERNAME") return "ann";
  if (key == "AWS_REGION") return "eu-west-1";
  if (key == "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") return "/x";
  return {};
}

}  // namespace
}  // namespace casemate::secrets

// Whatever a server answers, there is a bounded value, a reason or an error; and whatever a place or a
// profile file holds, it is taken apart or refused.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace secrets = casemate::secrets;
  using casemate::Deadline;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  {
    secrets::FuzzedServer server(input);
    secrets::Check(
        secrets::MakeVaultProvider(server, secrets::Setting)->Fetch("kv/app#key", Deadline::After(1000)));
  }
  {
    secrets::FuzzedServer server(input);
    secrets::Check(
        secrets::MakeAwsProvider(server, secrets::Setting)->Fetch("app#key", Deadline::After(1000)));
  }
  (void)secrets::XmlText(input, "AccessKeyId");
  (void)secrets::ParseAwsSections(input);
  (void)secrets::AwsTime(std::string(input));
  if (const auto words = secrets::SplitCommand(input)) {
    std::size_t bytes = 0;
    for (const std::string& word : *words) bytes += word.size();
    if (words->empty() || bytes > size) std::abort();
  }
  if (const auto place = secrets::ParseVaultPlace(input);
      place && (place->field.empty() || place->path.empty()))
    std::abort();
  if (const auto place = secrets::ParseAwsPlace(input); place && place->id.empty()) std::abort();
  return 0;
}
