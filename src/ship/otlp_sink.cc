#include "ship/otlp_sink.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <climits>

#include "ship/otlp_json.h"
#include "ship/otlp_protobuf.h"
#include "ship/target.h"

namespace casemate::ship {
namespace {

std::string HostName() {
  std::array<char, HOST_NAME_MAX + 1> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

// What a collector says of itself, cut: it goes into our state and logs.
std::string Quote(std::string_view text) {
  constexpr std::size_t kSaidMax = 200;
  std::string said(text.substr(0, kSaidMax));
  std::ranges::replace_if(
      said,
      [](char c) { return static_cast<unsigned char>(c) < ' ' || static_cast<unsigned char>(c) >= 0x7F; },
      ' ');
  return said;
}

class OtlpSink : public Sink {
 public:
  OtlpSink(std::string url, OtlpSignal signal, const CollectorOptions& options, secrets::HttpClient& client)
      : signal_(signal), protobuf_(options.protobuf), client_(client), host_(HostName()) {
    request_.method = "POST";
    request_.url = std::move(url);
    request_.headers = options.headers;
    request_.headers.emplace_back(protobuf_ ? "Content-Type: application/x-protobuf"
                                            : "Content-Type: application/json");
    request_.ca_file = options.ca_file;
    request_.client_certificate = options.client_certificate;
    request_.client_key = options.client_key;
  }

  Delivery Send(std::span<const Record> records) override {
    const Deadline deadline = Deadline::After(kSendMs);
    Delivery delivery;
    while (delivery.done < records.size()) {
      const auto part = records.subspan(delivery.done, std::min(part_max_, records.size() - delivery.done));
      const std::size_t before = delivery.done;
      SendPart(part, deadline, delivery);
      if (delivery.done == before && part_max_ >= part.size()) return delivery;
    }
    return delivery;
  }

 private:
  // Moves `delivery` on, or gives it a trouble, or makes the next part smaller.
  void SendPart(std::span<const Record> part, const Deadline& deadline, Delivery& delivery) {
    request_.body = signal_ == OtlpSignal::kLogs ? EncodeLogs(part, host_) : EncodeSpans(part, host_);
    if (request_.body.empty()) {
      delivery.done += part.size();
      return;
    }
    if (protobuf_) request_.body = ProtobufOf(request_.body);
    const auto answer = client_.Send(request_, deadline);
    if (!answer) {
      delivery.trouble = fmt::format("the collector at {} {}", request_.url, answer.error().ToString());
      return;
    }
    constexpr long kOk = 200;
    constexpr long kRedirect = 300;
    if (answer->status >= kOk && answer->status < kRedirect) return Taken(part, answer->body, delivery);
    if (IsRefusal(answer->status)) return Refused(part, *answer, delivery);
    delivery.trouble = fmt::format("the collector at {} answers with {}: {}", request_.url, answer->status,
                                   Remedy(answer->status));
    if (const auto after = answer->headers.find("retry-after"); after != answer->headers.end()) {
      constexpr std::int64_t kSecondsMax = 300;
      std::int64_t seconds = 0;
      std::from_chars(after->second.data(), after->second.data() + after->second.size(), seconds);
      delivery.retry_after_ms = std::clamp<std::int64_t>(seconds, 0, kSecondsMax) * 1000;
    }
  }

  void Taken(std::span<const Record> part, std::string_view body, Delivery& delivery) {
    const PartialSuccess partial = protobuf_ ? ReadPartialSuccessProtobuf(body) : ReadPartialSuccess(body);
    delivery.done += part.size();
    if (partial.rejected > 0) {
      // Of spans there are several a record; no more records than there were can be lost.
      delivery.lost += std::min(part.size(), static_cast<std::size_t>(partial.rejected));
      delivery.trouble =
          fmt::format("the collector at {} refused {} of records {} to {}: {}", request_.url,
                      partial.rejected, part.front().seq, part.back().seq, Quote(partial.message));
    }
    part_max_ = std::min(part_max_ * 2, kPartMax);
  }

  void Refused(std::span<const Record> part, const secrets::HttpResponse& answer, Delivery& delivery) {
    if (part.size() > 1) {
      part_max_ = part.size() / 2;
      return;
    }
    ++delivery.done;
    ++delivery.lost;
    delivery.trouble = fmt::format("the collector at {} refused record {} with {}: {}", request_.url,
                                   part.front().seq, answer.status, Quote(answer.body));
  }

  static bool IsRefusal(long status) { return status == 400 || status == 413 || status == 422; }

  static std::string_view Remedy(long status) {
    if (status == 401 || status == 403) return "put what lets us in into OTEL_EXPORTER_OTLP_HEADERS";
    if (status == 404 || status == 405) return "check the address, to which the signal's path is added";
    if (status == 415)
      return "it takes the other of http/json and http/protobuf: set OTEL_EXPORTER_OTLP_PROTOCOL";
    return "it is tried again";
  }

  static constexpr std::size_t kPartMax = 1024;

  const OtlpSignal signal_;
  const bool protobuf_;
  secrets::HttpClient& client_;
  const std::string host_;
  secrets::HttpRequest request_;
  std::size_t part_max_ = kPartMax;
};

}  // namespace

std::unique_ptr<Sink> MakeOtlpSink(std::string url, OtlpSignal signal, const CollectorOptions& options,
                                   secrets::HttpClient& client) {
  return std::make_unique<OtlpSink>(std::move(url), signal, options, client);
}

}  // namespace casemate::ship
