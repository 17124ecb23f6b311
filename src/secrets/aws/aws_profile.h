#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "casemate/error.h"

namespace casemate::secrets {

using Variable = std::function<std::string(const char* name)>;  // "" when it is not set

// The sections of a profile file: "[name]", "key = value", comments behind "#" or ";" at the start of a line
// or white space. Indented lines belong to the key above and are left out. Hostile bytes give fewer keys.
using AwsSections = std::map<std::string, std::map<std::string, std::string, std::less<>>, std::less<>>;
AwsSections ParseAwsSections(std::string_view text);

// What ~/.aws/config and ~/.aws/credentials (or the files that AWS_CONFIG_FILE and
// AWS_SHARED_CREDENTIALS_FILE name) say; a file that is not there says nothing.
class AwsProfiles {
 public:
  static Expected<AwsProfiles> Load(const Variable& variable);

  // A key of a profile; keys of the credentials file win. "" when it is not set.
  std::string Get(std::string_view profile, std::string_view key) const;
  std::string SsoSession(std::string_view session, std::string_view key) const;
  bool Has(std::string_view profile) const;

 private:
  AwsSections config_;
  AwsSections credentials_;
};

// AWS_PROFILE, AWS_DEFAULT_PROFILE or "default".
std::string ChosenProfile(const Variable& variable);
// The region by the environment and the profile; "" when neither has one.
std::string ChosenRegion(const Variable& variable, const AwsProfiles& profiles);

}  // namespace casemate::secrets
