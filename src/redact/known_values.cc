#include "redact/known_values.h"

#include <algorithm>
#include <cstring>

#include "redact/assignment.h"
#include "redact/text_class.h"

namespace casemate {
namespace {

constexpr std::size_t kShortest = 4;
constexpr std::size_t kAnywhere = 8;
constexpr std::size_t kPieceOf = 16;
constexpr std::size_t kLineMax = 256;  // longer lines of a value are looked for in parts

bool IsBetween(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '"' || c == '\'' || c == '`' || c == '\\' ||
         c == ',' || c == '+' || c == '-' || c == ':' || c == '\0';
}

std::string WithoutBetween(std::string_view text) {
  std::string letters;
  for (const char c : text) {
    if (!IsBetween(c)) letters += c;
  }
  return letters;
}

void Overwrite(std::string& text) { explicit_bzero(text.data(), text.size()); }

template <typename T>
void Overwrite(std::vector<T>& numbers) {
  explicit_bzero(numbers.data(), numbers.size() * sizeof(T));
}

bool IsWordChar(char c) { return Is(c, kAlnumChars) || c == '_'; }

}  // namespace

KnownValues::KnownValues(std::span<const KnownValue> values) {
  for (const KnownValue& known : values) {
    const auto value = static_cast<std::uint32_t>(names_.size());
    names_.emplace_back(known.name);
    std::string_view rest = known.value;
    while (!rest.empty()) {
      const std::size_t end = std::min({rest.find('\n'), rest.size(), kLineMax});
      const bool whole = end == known.value.size();
      const std::string_view line = rest.substr(0, end);
      // Short lines of a long value are words of anything.
      if (whole || line.size() >= kPieceOf) AddValue(line, value);
      rest.remove_prefix(std::min(rest.size(), end + (end < rest.size() && rest[end] == '\n' ? 1 : 0)));
    }
  }
  if (forms_.empty()) return;
  Build();
  Link();
}

KnownValues::~KnownValues() {
  Overwrite(next_);
  for (Form& form : forms_) Overwrite(form.word);
}

void KnownValues::AddValue(std::string_view text, std::uint32_t value) {
  while (!text.empty() && (text.back() == '\r' || text.back() == ' ')) text.remove_suffix(1);
  if (text.size() < kShortest) return;
  if (text.size() < kAnywhere) {
    Add(text, value, true);
    return;
  }
  for (std::string& form : FormsOf(text)) {
    std::string letters = WithoutBetween(form);
    if (letters.size() >= kAnywhere) Add(letters, value, false);
    Overwrite(letters);
    Overwrite(form);
  }
  std::string letters = WithoutBetween(text);
  const bool plain = std::ranges::all_of(letters, [](char c) { return Is(c, kBase64Char) || c == '_'; });
  if (letters.size() < kAnywhere) Add(text, value, true);
  if (plain && LooksRandom(letters)) {
    for (std::size_t i = 0; i + kAnywhere <= letters.size(); ++i) {
      const std::string_view piece = std::string_view(letters).substr(i, kAnywhere);
      const bool digit = std::ranges::any_of(piece, [](char c) { return Is(c, kDigitChar); });
      const bool alpha = std::ranges::any_of(piece, [](char c) { return Is(c, kAlphaChars); });
      if (digit && alpha) Add(piece, value, false);
    }
  }
  Overwrite(letters);
}

void KnownValues::Add(std::string_view form, std::uint32_t value, bool whole_word) {
  pending_.emplace_back(form, static_cast<std::uint32_t>(forms_.size()));
  forms_.push_back(
      {static_cast<std::uint32_t>(form.size()), value, whole_word ? std::string(form) : std::string()});
}

void KnownValues::Build() {
  std::array<bool, 256> used{};
  for (const auto& [text, form] : pending_) {
    for (const char c : text) used[static_cast<unsigned char>(c)] = true;
  }
  for (unsigned byte = 0; byte < 256; ++byte) {
    if (IsBetween(static_cast<char>(byte))) {
      class_of_[byte] = 1;
    } else if (used[byte]) {
      class_of_[byte] = static_cast<std::uint8_t>(classes_++);
    }
  }
  const auto add_state = [this](std::uint32_t depth) {
    next_.insert(next_.end(), classes_, kNone);
    form_.push_back(kNone);
    depth_.push_back(depth);
    return static_cast<std::uint32_t>(depth_.size() - 1);
  };
  add_state(0);
  for (auto& [text, form] : pending_) {
    std::uint32_t state = 0;
    for (const char c : text) {
      const std::uint8_t cls = class_of_[static_cast<unsigned char>(c)];
      if (cls == 1) continue;
      std::uint32_t next = next_[state * classes_ + cls];
      if (next == kNone) {
        next = add_state(depth_[state] + 1);
        next_[state * classes_ + cls] = next;
      }
      state = next;
    }
    forms_[form].length = depth_[state];
    // Of two values of one spelling the first names it; anywhere goes before whole words.
    if (state != 0 && (form_[state] == kNone || !forms_[form_[state]].word.empty())) form_[state] = form;
    Overwrite(text);
  }
  pending_.clear();
}

// Breadth first: where a state has no way on, that of its longest proper ending holds.
void KnownValues::Link() {
  std::vector<std::uint32_t> fail(depth_.size(), 0);
  suffix_.assign(depth_.size(), kNone);
  ends_.assign(depth_.size(), kNothingEnds);
  std::vector<std::uint32_t> queue{0};
  for (std::size_t i = 0; i < queue.size(); ++i) {
    const std::uint32_t state = queue[i];
    if (state != 0) {
      suffix_[state] = form_[fail[state]] != kNone ? fail[state] : suffix_[fail[state]];
      if (form_[state] != kNone) ends_[state] = forms_[form_[state]].word.empty() ? kFormEnds : kWordEnds;
      ends_[state] = static_cast<std::uint8_t>(ends_[state] | ends_[fail[state]]);
    }
    for (std::uint32_t cls = 0; cls < classes_; ++cls) {
      std::uint32_t& next = next_[state * classes_ + cls];
      if (cls == 1) {
        next = state;
      } else if (next == kNone) {
        next = state == 0 ? 0 : next_[fail[state] * classes_ + cls];
      } else {
        fail[next] = state == 0 ? 0 : next_[fail[state] * classes_ + cls];
        queue.push_back(next);
      }
    }
  }
}

std::size_t KnownValues::StepBack(std::string_view text, std::size_t end, std::size_t count) {
  std::size_t gap = 0;
  while (count > 0 && end > 0) {
    --end;
    if (IsBetween(text[end])) {
      if (++gap > kGapMax) return std::string_view::npos;
    } else {
      gap = 0;
      --count;
    }
  }
  return count == 0 ? end : std::string_view::npos;
}

void KnownValues::FindForm(std::string_view text, std::size_t end, std::uint32_t state,
                           std::vector<Found>& found) const {
  if (form_[state] == kNone) state = suffix_[state];
  for (; state != kNone; state = suffix_[state]) {
    const Form& form = forms_[form_[state]];
    if (!form.word.empty()) continue;
    const std::size_t begin = StepBack(text, end, form.length);
    if (begin == std::string_view::npos) continue;
    found.push_back({begin, end, form.value});
    return;
  }
}

void KnownValues::FindWord(std::string_view text, std::size_t end, std::uint32_t state,
                           std::vector<Found>& found) const {
  if (end < text.size() && IsWordChar(text[end])) return;
  if (form_[state] == kNone) state = suffix_[state];
  for (; state != kNone; state = suffix_[state]) {
    const Form& form = forms_[form_[state]];
    if (form.word.empty() || end < form.word.size()) continue;
    const std::size_t begin = end - form.word.size();
    if (text.substr(begin, form.word.size()) != form.word) continue;
    if (begin > 0 && IsWordChar(text[begin - 1])) continue;
    found.push_back({begin, end, form.value});
    return;
  }
}

std::uint32_t KnownValues::Scan(std::string_view text, std::size_t from, bool final, std::uint32_t state,
                                std::vector<Found>& found) const {
  for (std::size_t i = from; i < text.size(); ++i) {
    // Whether a word ends here is known by what comes after it.
    if ((ends_[state] & kWordEnds) != 0) FindWord(text, i, state, found);
    const std::uint8_t cls = class_of_[static_cast<unsigned char>(text[i])];
    state = next_[state * classes_ + cls];
    if ((ends_[state] & kFormEnds) != 0 && cls != 1) FindForm(text, i + 1, state, found);
  }
  if (final && (ends_[state] & kWordEnds) != 0) FindWord(text, text.size(), state, found);
  return state;
}

std::size_t KnownValues::OpenAt(std::string_view text, std::uint32_t state) const {
  std::size_t count = depth_[state];
  std::size_t open = text.size();
  std::size_t gap = 0;
  for (std::size_t i = text.size(); count > 0 && i > 0; --i) {
    if (IsBetween(text[i - 1])) {
      if (++gap > kGapMax) break;
      continue;
    }
    gap = 0;
    --count;
    open = i - 1;
  }
  return open;
}

}  // namespace casemate
