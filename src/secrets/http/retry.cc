#include "secrets/http/retry.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <random>
#include <thread>

namespace casemate::secrets {
namespace {

constexpr int kTries = 4;
constexpr std::int64_t kFirstPauseMs = 100;
constexpr std::int64_t kLongestPauseMs = 5'000;

// "Full jitter": anything from nothing to the whole pause, so that clients that failed together do not come
// back together.
std::int64_t Jittered(std::int64_t pause_ms) {
  thread_local std::minstd_rand random{std::random_device{}()};
  return std::uniform_int_distribution<std::int64_t>(0, pause_ms)(random);
}

// Seconds; -1 when the server did not say.
std::int64_t RetryAfterMs(const HttpResponse& response) {
  const auto header = response.headers.find("retry-after");
  if (header == response.headers.end()) return -1;
  const std::string& text = header->second;
  std::int64_t seconds = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (parsed.ec != std::errc() || seconds < 0 || seconds > kLongestPauseMs) return -1;
  return seconds * 1000;
}

}  // namespace

bool AsksToComeAgain(const HttpResponse& response) {
  switch (response.status) {
    case 429:
    case 500:
    case 502:
    case 503:
    case 504:
      return true;
    default:
      return false;
  }
}

Expected<HttpResponse> SendPatiently(HttpClient& client, const HttpRequest& request, const Deadline& deadline,
                                     const ComeAgain& again) {
  for (int tried = 1;; ++tried) {
    auto response = client.Send(request, deadline);
    if (!response || !again(*response)) return response;
    if (tried == kTries || deadline.Passed()) return response;
    const std::int64_t asked_ms = RetryAfterMs(*response);
    const std::int64_t pause_ms =
        asked_ms >= 0 ? asked_ms : Jittered(std::min(kFirstPauseMs << tried, kLongestPauseMs));
    if (pause_ms >= deadline.RemainingMs()) return response;
    std::this_thread::sleep_for(std::chrono::milliseconds(pause_ms));
  }
}

}  // namespace casemate::secrets
