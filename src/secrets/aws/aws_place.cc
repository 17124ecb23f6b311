#include "secrets/aws/aws_place.h"

#include <algorithm>

namespace casemate::secrets {
namespace {

constexpr std::size_t kIdBytesMax = 2048;  // of the service itself

std::unexpected<Error> Refuse(std::string message) {
  return Fail(ErrorCode::kInvalidRequest, std::move(message));
}

bool IsWord(std::string_view text, std::string_view also) {
  return !text.empty() && text.size() <= kIdBytesMax && std::ranges::all_of(text, [also](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || also.contains(c);
  });
}

Expected<void> TakeOption(std::string_view option, AwsPlace& place) {
  const std::size_t equals = std::min(option.find('='), option.size());
  const std::string_view name = option.substr(0, equals);
  const std::string_view value = option.substr(std::min(equals + 1, option.size()));
  if (name == "region" && IsAwsRegion(value)) {
    place.region = value;
  } else if (name == "stage" && IsWord(value, "-_.+=@/")) {
    place.stage = value;
  } else if (name == "version" && IsWord(value, "-")) {
    place.version = value;
  } else {
    return Refuse(
        "behind \"?\" come region=eu-west-1, stage=AWSPREVIOUS or version=ID, with \"&\" between them");
  }
  return {};
}

}  // namespace

bool IsAwsRegion(std::string_view text) {
  return !text.empty() && text.size() <= 32 && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

Expected<AwsPlace> ParseAwsPlace(std::string_view text) {
  AwsPlace place;
  if (const std::size_t mark = text.find('#'); mark != std::string_view::npos) {
    place.field = text.substr(mark + 1);
    text = text.substr(0, mark);
    if (place.field.empty())
      return Refuse("behind \"#\" comes the name of a field: leave it out for the whole");
  }
  if (std::size_t query = text.find('?'); query != std::string_view::npos) {
    std::string_view rest = text.substr(query + 1);
    text = text.substr(0, query);
    while (true) {
      const std::size_t next = rest.find('&');
      if (auto taken = TakeOption(rest.substr(0, next), place); !taken) return std::unexpected(taken.error());
      if (next == std::string_view::npos) break;
      rest.remove_prefix(next + 1);
    }
  }
  if (!IsWord(text, "/_+=.@-:")) {
    return Refuse("a secret of AWS is named by its name or its ARN, as in aws:prod/app#api_key");
  }
  place.id = text;
  // arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME
  constexpr std::string_view kService = ":secretsmanager:";
  const std::size_t service = text.find(kService);
  if (place.region.empty() && text.starts_with("arn:") && service != std::string_view::npos) {
    const std::string_view rest = text.substr(service + kService.size());
    const std::string_view region = rest.substr(0, rest.find(':'));
    if (IsAwsRegion(region)) place.region = region;
  }
  return place;
}

Expected<void> CheckAwsPlace(std::string_view text) {
  auto place = ParseAwsPlace(text);
  if (!place) return std::unexpected(place.error());
  return {};
}

}  // namespace casemate::secrets
