#pragma once

#include <string>
#include <string_view>

#include "casemate/error.h"

namespace casemate::secrets {

// aws:SECRET_ID[?OPTION&OPTION...][#FIELD]. SECRET_ID is a name or an ARN; the options are region=, stage=
// (AWSCURRENT, AWSPREVIOUS, ...) and version=; FIELD is one of a secret that is a JSON object.
struct AwsPlace {
  std::string id;
  std::string region;
  std::string stage;
  std::string version;
  std::string field;
};
inline constexpr std::string_view kAwsForm = "aws:SECRET_ID[?region=R&stage=S&version=V][#FIELD]";
Expected<AwsPlace> ParseAwsPlace(std::string_view text);
Expected<void> CheckAwsPlace(std::string_view text);

// Whether it can be a part of a host name: small letters, digits and dashes.
bool IsAwsRegion(std::string_view text);

}  // namespace casemate::secrets
