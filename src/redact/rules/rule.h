#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace casemate {

// Groups of rules that are switched together; or-ed.
enum RuleSets : unsigned {
  kNoRules = 0,
  kSecretRules = 1,    // "secrets": credentials of all kinds
  kPiiRules = 2,       // "pii": what tells of a person
  kInternalRules = 4,  // "internal": what tells of the place: private addresses, paths
  kAllRules = 7,
};

// How a rule finds its text. All but kNumber, kIban start at one of the rule's keywords.
enum class RuleKind : std::uint8_t {
  kToken,     // `pattern` from the keyword on, within one run of characters without spaces and quotes
  kText,      // `pattern` from the keyword on, within its line
  kContext,   // an assignment to a name with the keyword, whose whole value matches `pattern`
  kPassword,  // an assignment to a name with the keyword, of any value that looks chosen
  kSecret,    // likewise, of a value that looks made by a machine
  kUrl,       // the password in scheme://user:password@host; the keyword is "://"
  kPem,       // a key's block from its BEGIN line to its END line
  kEmail,     // around an "@"
  kIpv6,      // an address that begins with the keyword
  kNumber,    // digits in one of the layouts `shapes`
  kIban,
};
inline constexpr int kRuleKinds = 11;

// What a match must pass besides.
enum class Validator : std::uint8_t {
  kNone,
  kLuhn,         // payment cards (ISO/IEC 7812-1 annex B)
  kPrivateIpv4,  // RFC 1918, RFC 6598, RFC 3927
  kSsn,          // areas and groups that the US administration gives out
  kCpf,          // both check digits of a Brazilian number
  kNir,          // the key of a French number
  kJwt,          // its first part decodes to a JSON object with "alg" or "enc"
  kRandom,       // letters and digits mixed as a machine mixes them
  kBasic,        // base64 of "user:password"
  kDigits,       // five digits or more
};
inline constexpr int kValidators = 10;

// What stands before a token's keyword and belongs to it.
struct Lead {
  bool hex = false;         // small hexadecimal digits; otherwise letters and digits
  std::uint8_t length = 0;  // 0: nothing
  std::uint8_t shown = 0;   // of its first characters, which stay: runs that are no longer are never held
};

// Text that a match begins with, and how the prefilter looks for it.
struct Keyword {
  std::string_view text;
  std::uint8_t offset = 0;  // of the four bytes, or fewer, that are looked for
  std::uint8_t group = 0;   // which of its tables has them
};
inline constexpr std::size_t kKeywordGroups = 32;
inline constexpr std::size_t kKeywordGram = 4;

// One rule; views into the block that it was read from.
struct Rule {
  std::string_view name;  // [a-z0-9_]+
  RuleSets set = kSecretRules;
  RuleKind kind = RuleKind::kToken;
  std::vector<Keyword> keywords;  // the shapes of a kNumber: D for a digit, A for a capital letter
  std::string_view pattern;       // RE2; its first group, if any, is what is taken out
  std::string_view replacement;   // "[REDACTED_...]"
  Validator validator = Validator::kNone;
  bool ignore_case = false;
  bool left_open = false;   // may be preceded by a letter or digit
  bool right_open = false;  // may be followed by one
  Lead lead;                // of a kToken
};

std::string_view KindName(RuleKind kind);             // "token", "text", ...
std::string_view ValidatorName(Validator validator);  // "luhn", ...
// "secrets", "pii", "internal", or "" for what is not one of them.
std::string_view SetName(RuleSets set);

}  // namespace casemate
