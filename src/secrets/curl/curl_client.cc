#include "secrets/curl/curl_client.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <utility>
#include <vector>

namespace casemate::secrets {
namespace {

constexpr long kConnectTimeoutMs = 5'000;
constexpr std::size_t kHeadersMax = 100;

struct EasyDeleter {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
using Easy = std::unique_ptr<CURL, EasyDeleter>;

struct ListDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using List = std::unique_ptr<curl_slist, ListDeleter>;

std::size_t TakeBody(char* data, std::size_t /*one*/, std::size_t size, void* to) {
  auto& response = *static_cast<HttpResponse*>(to);
  if (size > kHttpBodyBytesMax - response.body.size()) return 0;
  response.body.append(data, size);
  return size;
}

std::size_t TakeHeader(char* data, std::size_t /*one*/, std::size_t size, void* to) {
  auto& response = *static_cast<HttpResponse*>(to);
  std::string_view line(data, size);
  while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return size;
  if (response.headers.size() >= kHeadersMax) return 0;
  std::string name(line.substr(0, colon));
  std::ranges::transform(name, name.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  const std::size_t start = std::min(line.find_first_not_of(" \t", colon + 1), line.size());
  response.headers[std::move(name)] = line.substr(start);
  return size;
}

// What a person can do about it; behind the server's name.
struct Remedy {
  CURLcode code;
  std::string_view text;
};
constexpr std::array kRemedies = {
    Remedy{CURLE_COULDNT_RESOLVE_HOST, "has no such name; check the address"},
    Remedy{CURLE_COULDNT_RESOLVE_PROXY,
           "cannot be reached through the proxy; check https_proxy and no_proxy"},
    Remedy{CURLE_PROXY, "cannot be reached through the proxy; check https_proxy and no_proxy"},
    Remedy{CURLE_COULDNT_CONNECT, "cannot be reached; check the address, and that it runs"},
    Remedy{CURLE_OPERATION_TIMEDOUT, "does not answer in time; try again later"},
    Remedy{CURLE_PEER_FAILED_VERIFICATION,
           "has a certificate that is not trusted here; name its authority's file"},
    Remedy{CURLE_SSL_CACERT_BADFILE, "cannot be verified; the file of its authority cannot be read"},
    Remedy{CURLE_SSL_CONNECT_ERROR, "and this host cannot agree on TLS; check the address"},
    Remedy{CURLE_SSL_CERTPROBLEM, "is not asked; our own certificate or its key cannot be read"},
    Remedy{CURLE_WRITE_ERROR, "answers with too much; is it the right address?"},
    Remedy{CURLE_URL_MALFORMAT, "is no address of http or https; check it"},
    Remedy{CURLE_UNSUPPORTED_PROTOCOL, "is no address of http or https; check it"},
};
std::string Explain(CURLcode code) {
  const auto* const row = std::ranges::find(kRemedies, code, &Remedy::code);
  return std::string(row != kRemedies.end() ? row->text : "broke off; try again later");
}

class CurlClient : public HttpClient {
 public:
  CurlClient() { curl_global_init(CURL_GLOBAL_DEFAULT); }
  ~CurlClient() override {
    idle_.clear();
    curl_global_cleanup();
  }
  CurlClient(const CurlClient&) = delete;
  CurlClient& operator=(const CurlClient&) = delete;

  Expected<HttpResponse> Send(const HttpRequest& request, const Deadline& deadline) override {
    const std::int64_t left_ms = deadline.RemainingMs();
    if (left_ms <= 0) return Fail(ErrorCode::kUnavailable, Explain(CURLE_OPERATION_TIMEDOUT));
    Easy easy = TakeHandle();
    if (!easy) return Fail(ErrorCode::kInternal, "could not be asked: there is no memory");
    HttpResponse response;
    curl_slist* list = nullptr;
    for (const std::string& header : request.headers) list = curl_slist_append(list, header.c_str());
    const List headers(list);
    Prepare(easy.get(), request, left_ms, response);
    curl_easy_setopt(easy.get(), CURLOPT_HTTPHEADER, headers.get());
    std::array<char, CURL_ERROR_SIZE> said{};
    curl_easy_setopt(easy.get(), CURLOPT_ERRORBUFFER, said.data());
    const CURLcode code = curl_easy_perform(easy.get());
    curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &response.status);
    curl_easy_reset(easy.get());
    if (code != CURLE_OK) {
      return Fail(ErrorCode::kUnavailable, Explain(code),
                  fmt::format("curl: {}", said.front() != '\0' ? said.data() : curl_easy_strerror(code)));
    }
    PutBack(std::move(easy));
    return response;
  }

 private:
  static void Prepare(CURL* easy, const HttpRequest& request, std::int64_t left_ms, HttpResponse& response) {
    curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str());
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(left_ms));
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                     std::min(kConnectTimeoutMs, static_cast<long>(left_ms)));
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, TakeBody);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &response);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, TakeHeader);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, &response);
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
    if (request.method != "GET") {
      curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, static_cast<long>(request.body.size()));
      curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body.data());
    }
    if (!request.ca_file.empty()) curl_easy_setopt(easy, CURLOPT_CAINFO, request.ca_file.c_str());
    if (!request.ca_folder.empty()) curl_easy_setopt(easy, CURLOPT_CAPATH, request.ca_folder.c_str());
    if (!request.client_certificate.empty()) {
      curl_easy_setopt(easy, CURLOPT_SSLCERT, request.client_certificate.c_str());
      curl_easy_setopt(easy, CURLOPT_SSLKEY, request.client_key.c_str());
    }
    if (!request.use_proxy) curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    if (request.sign != nullptr) {
      const AwsSignature& sign = *request.sign;
      curl_easy_setopt(easy, CURLOPT_AWS_SIGV4,
                       fmt::format("aws:amz:{}:{}", sign.region, sign.service).c_str());
      curl_easy_setopt(easy, CURLOPT_USERNAME, sign.access_key.c_str());
      curl_easy_setopt(easy, CURLOPT_PASSWORD, sign.secret_key.c_str());
    }
  }

  // A handle keeps its connections.
  Easy TakeHandle() {
    const std::lock_guard lock(mutex_);
    if (idle_.empty()) return Easy(curl_easy_init());
    Easy easy = std::move(idle_.back());
    idle_.pop_back();
    return easy;
  }
  void PutBack(Easy easy) {
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(easy));
  }

  std::mutex mutex_;
  std::vector<Easy> idle_;
};

}  // namespace

std::unique_ptr<HttpClient> MakeCurlClient() { return std::make_unique<CurlClient>(); }

}  // namespace casemate::secrets
