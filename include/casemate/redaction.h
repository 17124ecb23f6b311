#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace casemate {

// Text that a Redactor has been over, or that an engine sent, whose redactor has. Nothing else makes one.
class RedactedText {
 public:
  RedactedText() = default;
  const std::string& text() const { return text_; }
  bool empty() const { return text_.empty(); }
  std::size_t size() const { return text_.size(); }
  friend bool operator==(const RedactedText&, const RedactedText&) = default;

 private:
  friend class RedactedTextMaker;
  explicit RedactedText(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

// One kind of thing that was taken out of one text: never the thing itself.
struct Redaction {
  std::string rule;   // a rule's name, or "known:NAME" for a value that was known
  std::string where;  // "stdout", "stderr", "result", "error", "denials", "displays[0]", a file's name
  std::int64_t count = 0;
  std::int64_t offset = 0;  // bytes before the first, in the text as it was
  friend bool operator==(const Redaction&, const Redaction&) = default;
};

}  // namespace casemate
