#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "casemate/error.h"
#include "casemate/redaction.h"
#include "casemate/result.h"

namespace casemate {

// Which rules a text is cleaned by. The built-in ones are in profiles/redaction/, in three sets.
struct RedactionRules {
  // "secrets", "pii", "internal", several with commas, "all", or "off": none. Known values are always found.
  std::string sets = "secrets";
  std::vector<std::string> off;  // rules of those sets that are left out, by name
  std::string own_toml;          // further rules in the form of profiles/redaction/
  std::string own_name;          // what messages call them
};

// A value that must not leave in any spelling.
struct KnownSecret {
  std::string_view name;  // in detections: "known:NAME"
  std::string_view value;
};

// What finds known values in every spelling. Immutable, and shared by redactors of any thread; in memory that
// is left out of core dumps and zeroed at its end, and locked where this user may lock so much.
class KnownValues;
std::shared_ptr<const KnownValues> MakeKnownValues(std::span<const KnownSecret> known);

// A value that a Redactor has been over. Nothing else makes one.
class RedactedJson {
 public:
  const JsonText& json() const { return json_; }

 private:
  friend class RedactedTextMaker;
  explicit RedactedJson(JsonText json) : json_(std::move(json)) {}
  JsonText json_;
};

// Bytes that a StreamRedactor has let out. Nothing else puts any in.
class RedactedBytes {
 public:
  const std::string& text() const { return text_; }
  bool empty() const { return text_.empty(); }
  std::size_t size() const { return text_.size(); }
  void clear() { text_.clear(); }
  RedactedBytes& operator+=(const RedactedBytes& more) {
    text_ += more.text_;
    return *this;
  }
  RedactedBytes& operator+=(const RedactedText& more) {
    text_ += more.text();
    return *this;
  }
  // For what keeps them from here on.
  std::string Take() && { return std::move(text_); }
  friend bool operator==(const RedactedBytes&, const RedactedBytes&) = default;

 private:
  friend class RedactedTextMaker;
  std::string text_;
};

// Cleans what is fed to it in pieces. The output does not depend on where the pieces end: what may still
// become part of a match is held until more comes, 2,560 bytes at most (with known values, up to their
// longest spelling and the gaps in it); all else is given at once, in the call that brings it. No clock lets
// out what is held: half a secret would leave, and what leaves would depend on when it came. Belongs to its
// Redactor, which must outlive it.
class StreamRedactor {
 public:
  virtual ~StreamRedactor() = default;
  // Appends what can be let out to `out`.
  virtual void Feed(std::string_view bytes, RedactedBytes& out) = 0;
  virtual void Finish(RedactedBytes& out) = 0;
};

// Takes out what must not leave, and counts it. One run or one command; one thread. Rules are shared by all
// redactors of a process, and compiled when their keyword is first seen. Any bytes may be given: those that
// belong to no match stay as they are.
class Redactor {
 public:
  virtual ~Redactor() = default;

  // `where` is what detections call the text.
  virtual RedactedText Text(std::string_view text, std::string_view where) = 0;
  // The same for strings, keys and numbers of a value, which stays JSON: a number that goes becomes a string,
  // and keys that become equal get numbers.
  virtual RedactedJson Json(const JsonText& value, std::string_view where) = 0;
  virtual std::unique_ptr<StreamRedactor> Stream(std::string_view where) = 0;

  // What was found so far, in the order of first sight.
  virtual std::vector<Redaction> Redactions() const = 0;
};

// `known` may be null; arm before the program starts. kInvalidRequest for rules that cannot be used.
Expected<std::unique_ptr<Redactor>> MakeArmedRedactor(const RedactionRules& rules,
                                                      std::shared_ptr<const KnownValues> known);
Expected<std::unique_ptr<Redactor>> MakeRedactor(const RedactionRules& rules,
                                                 std::span<const KnownSecret> known);

// One built-in rule, for lists.
struct RedactionRuleInfo {
  std::string_view name;
  std::string_view set;
  std::string_view kind;
  std::string_view replacement;
};
std::vector<RedactionRuleInfo> BuiltInRedactionRules();

}  // namespace casemate
