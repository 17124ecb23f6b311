#include "secrets/aws/aws_profile.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/file.h"

namespace casemate::secrets {
namespace {

constexpr std::size_t kFileBytesMax = std::size_t{1} << 20;

std::string_view Trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

std::string FindIn(const AwsSections& sections, std::string_view section, std::string_view key) {
  const auto found = sections.find(section);
  if (found == sections.end()) return {};
  const auto value = found->second.find(key);
  return value == found->second.end() ? std::string() : value->second;
}

Expected<AwsSections> LoadFile(const Variable& variable, const char* name, std::string_view usual) {
  std::string path = variable(name);
  const std::string home = variable("HOME");
  if (path.empty()) path = home + "/.aws/" + std::string(usual);
  if (path.starts_with("~/")) path = home + path.substr(1);
  auto text = ReadFile(path, kFileBytesMax);
  if (text) return ParseAwsSections(*text);
  if (text.error().code == ErrorCode::kNotFound) return AwsSections();
  return Fail(ErrorCode::kUnavailable, fmt::format("{} cannot be read: check its mode", path),
              text.error().message);
}

// "[profile x]" in the one file is "[x]" in the other.
std::string ConfigSection(std::string_view profile) {
  return profile == "default" ? "default" : "profile " + std::string(profile);
}

}  // namespace

AwsSections ParseAwsSections(std::string_view text) {
  AwsSections sections;
  std::map<std::string, std::string, std::less<>>* section = nullptr;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::string_view plain = Trim(line);
    if (plain.empty() || plain.front() == '#' || plain.front() == ';') continue;
    if (plain.front() == '[') {
      const std::size_t close = plain.find(']');
      section = close == std::string_view::npos ? nullptr
                                                : &sections[std::string(Trim(plain.substr(1, close - 1)))];
      continue;
    }
    const std::size_t equals = plain.find('=');
    const bool indented = line.front() == ' ' || line.front() == '\t';
    if (section == nullptr || indented || equals == std::string_view::npos) continue;
    std::string_view value = Trim(plain.substr(equals + 1));
    for (const std::string_view mark : {" #", " ;", "\t#", "\t;"})
      value = Trim(value.substr(0, value.find(mark)));
    (*section)[std::string(Trim(plain.substr(0, equals)))] = value;
  }
  return sections;
}

Expected<AwsProfiles> AwsProfiles::Load(const Variable& variable) {
  AwsProfiles profiles;
  auto config = LoadFile(variable, "AWS_CONFIG_FILE", "config");
  if (!config) return std::unexpected(config.error());
  auto credentials = LoadFile(variable, "AWS_SHARED_CREDENTIALS_FILE", "credentials");
  if (!credentials) return std::unexpected(credentials.error());
  profiles.config_ = *std::move(config);
  profiles.credentials_ = *std::move(credentials);
  return profiles;
}

std::string AwsProfiles::Get(std::string_view profile, std::string_view key) const {
  std::string value = FindIn(credentials_, profile, key);
  return value.empty() ? FindIn(config_, ConfigSection(profile), key) : value;
}

std::string AwsProfiles::SsoSession(std::string_view session, std::string_view key) const {
  return FindIn(config_, "sso-session " + std::string(session), key);
}

bool AwsProfiles::Has(std::string_view profile) const {
  return credentials_.contains(profile) || config_.contains(ConfigSection(profile));
}

std::string ChosenProfile(const Variable& variable) {
  for (const char* name : {"AWS_PROFILE", "AWS_DEFAULT_PROFILE"}) {
    if (std::string profile = variable(name); !profile.empty()) return profile;
  }
  return "default";
}

std::string ChosenRegion(const Variable& variable, const AwsProfiles& profiles) {
  for (const char* name : {"AWS_REGION", "AWS_DEFAULT_REGION"}) {
    if (std::string region = variable(name); !region.empty()) return region;
  }
  return profiles.Get(ChosenProfile(variable), "region");
}

}  // namespace casemate::secrets
