#include "redact/rules/rule.h"

#include <array>

namespace casemate {

std::string_view KindName(RuleKind kind) {
  constexpr std::array<std::string_view, kRuleKinds> kNames = {
      "token", "text", "context", "password", "secret", "url", "pem", "email", "ipv6", "number", "iban"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::string_view ValidatorName(Validator validator) {
  constexpr std::array<std::string_view, kValidators> kNames = {
      "", "luhn", "private_ipv4", "ssn", "cpf", "nir", "jwt", "random", "basic", "digits"};
  return kNames[static_cast<std::size_t>(validator)];
}

std::string_view SetName(RuleSets set) {
  switch (set) {
    case kSecretRules:
      return "secrets";
    case kPiiRules:
      return "pii";
    case kInternalRules:
      return "internal";
    case kNoRules:
    case kAllRules:
      break;
  }
  return "";
}

}  // namespace casemate
