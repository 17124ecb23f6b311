#include "redact/json_edit.h"

#include <algorithm>

#include "base/utf8.h"

namespace casemate {
namespace {

class Editor {
 public:
  Editor(std::string_view text, const std::vector<JsonCut>& cuts, bool number_keys)
      : text_(text), cuts_(cuts), number_keys_(number_keys), told_(cuts.size()) {}

  std::string Run() {
    std::size_t at = 0;
    while (at < text_.size()) {
      const char c = text_[at];
      if (c == '"') {
        at = String(at);
      } else if (c == '{' || c == '}' || c == '[' || c == ']' || c == ',' || c == ':') {
        out_ += c;
        ++at;
      } else {
        at = Scalar(at);
      }
    }
    return std::move(out_);
  }

 private:
  // The cut that has something of [begin, end), or null.
  const JsonCut* CutAt(std::size_t begin, std::size_t end) {
    while (next_ < cuts_.size() && cuts_[next_].end <= begin) ++next_;
    return next_ < cuts_.size() && cuts_[next_].begin < end ? &cuts_[next_] : nullptr;
  }
  void Tell(const JsonCut& cut) {
    const auto index = static_cast<std::size_t>(&cut - cuts_.data());
    if (!told_[index]) out_ += cut.replacement;
    told_[index] = true;
  }
  // One character of a string, as it is written.
  std::size_t Unit(std::size_t at) const {
    if (text_[at] != '\\') return std::max<std::size_t>(1, Utf8SequenceLength(text_.substr(at)));
    return text_[at + 1] == 'u' ? 6 : 2;
  }
  std::size_t String(std::size_t at) {
    out_ += '"';
    bool is_cut = false;
    for (++at; text_[at] != '"';) {
      const std::size_t length = Unit(at);
      if (const JsonCut* cut = CutAt(at, at + length)) {
        Tell(*cut);
        is_cut = true;
      } else {
        out_ += text_.substr(at, length);
      }
      at += length;
    }
    ++at;
    const bool key = at < text_.size() && text_[at] == ':';
    if (is_cut && key && number_keys_) out_ += "#" + std::to_string(++keys_);
    out_ += '"';
    return at;
  }
  std::size_t Scalar(std::size_t at) {
    const std::size_t end = std::min(text_.find_first_of(",]}", at), text_.size());
    if (const JsonCut* cut = CutAt(at, end)) {
      out_ += '"';
      Tell(*cut);
      out_ += '"';
    } else {
      out_ += text_.substr(at, end - at);
    }
    return end;
  }

  std::string_view text_;
  const std::vector<JsonCut>& cuts_;
  bool number_keys_;
  std::vector<bool> told_;
  std::size_t next_ = 0;
  std::size_t keys_ = 0;
  std::string out_;
};

}  // namespace

std::string CutJson(std::string_view text, const std::vector<JsonCut>& cuts, bool number_keys) {
  return Editor(text, cuts, number_keys).Run();
}

}  // namespace casemate
