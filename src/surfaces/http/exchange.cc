#include "surfaces/http/exchange.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "model/json_writer.h"

namespace casemate::http {
namespace {

int StatusOf(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidRequest:
      return 400;
    case ErrorCode::kNotFound:
      return 404;
    case ErrorCode::kUnavailable:
      return 503;
    case ErrorCode::kCancelled:
      return 409;
    case ErrorCode::kInternal:
      break;
  }
  return 500;
}

}  // namespace

std::string_view ReasonPhrase(int status) {
  using Row = std::pair<int, std::string_view>;
  static constexpr std::array kRows = {
      Row{200, "OK"},
      Row{201, "Created"},
      Row{202, "Accepted"},
      Row{204, "No Content"},
      Row{400, "Bad Request"},
      Row{401, "Unauthorized"},
      Row{403, "Forbidden"},
      Row{404, "Not Found"},
      Row{405, "Method Not Allowed"},
      Row{406, "Not Acceptable"},
      Row{408, "Request Timeout"},
      Row{409, "Conflict"},
      Row{410, "Gone"},
      Row{412, "Precondition Failed"},
      Row{413, "Content Too Large"},
      Row{415, "Unsupported Media Type"},
      Row{422, "Unprocessable Content"},
      Row{426, "Upgrade Required"},
      Row{429, "Too Many Requests"},
      Row{431, "Request Header Fields Too Large"},
      Row{500, "Internal Server Error"},
      Row{501, "Not Implemented"},
      Row{503, "Service Unavailable"},
  };
  const auto* const row = std::ranges::find(kRows, status, &Row::first);
  return row == kRows.end() ? "Status" : row->second;
}

Answer ErrorAnswer(int status, std::string_view code, std::string_view message) {
  JsonWriter writer;
  writer.BeginObject();
  writer.Field("type", fmt::format("urn:casemate:problem:{}", code));
  writer.Field("title", ReasonPhrase(status));
  writer.Field("status", status);
  writer.Field("detail", message);
  writer.Field("code", code);
  writer.EndObject();
  Answer answer;
  answer.status = status;
  answer.content_type = "application/problem+json";
  answer.body = std::move(writer).Take() + "\n";
  return answer;
}

Answer ErrorAnswer(const Error& error) {
  return ErrorAnswer(StatusOf(error.code), ErrorCodeName(error.code), error.ToString());
}

}  // namespace casemate::http
