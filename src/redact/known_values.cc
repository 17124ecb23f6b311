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
constexpr std::size_t kNotShort = 256;  // a shorter string may lie in its object, and so on a stack
constexpr std::size_t kLineMax = 256;   // longer lines of a value are looked for in parts

bool IsBetween(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '"' || c == '\'' || c == '`' || c == '\\' ||
         c == ',' || c == '+' || c == '-' || c == ':' || c == '\0';
}

std::pmr::string WithoutBetween(std::string_view text, std::pmr::memory_resource* memory) {
  std::pmr::string letters(memory);
  letters.reserve(std::max(text.size(), kNotShort));
  for (const char c : text) {
    if (!IsBetween(c)) letters += c;
  }
  return letters;
}

bool IsWordChar(char c) { return Is(c, kAlnumChars) || c == '_'; }

}  // namespace

KnownValues::KnownValues(std::span<const KnownValue> values) {
  SecretArena scratch;
  Spellings spellings(&scratch);
  spellings.letters.reserve(kNotShort);
  words_.reserve(kNotShort);
  for (const KnownValue& known : values) {
    const auto value = static_cast<std::uint32_t>(names_.size());
    names_.emplace_back(known.name);
    std::string_view rest = known.value;
    while (!rest.empty()) {
      const std::size_t end = std::min({rest.find('\n'), rest.size(), kLineMax});
      const bool whole = end == known.value.size();
      const std::string_view line = rest.substr(0, end);
      // Short lines of a long value are words of anything.
      if (whole || line.size() >= kPieceOf) AddValue(line, value, spellings);
      rest.remove_prefix(std::min(rest.size(), end + (end < rest.size() && rest[end] == '\n' ? 1 : 0)));
    }
  }
  if (forms_.empty()) return;
  Build(spellings);
  Link();
}

void KnownValues::AddValue(std::string_view text, std::uint32_t value, Spellings& spellings) {
  std::pmr::memory_resource* const memory = spellings.letters.get_allocator().resource();
  while (!text.empty() && (text.back() == '\r' || text.back() == ' ')) text.remove_suffix(1);
  if (text.size() < kShortest) return;
  if (text.size() < kAnywhere) {
    Add(text, value, true, spellings);
    return;
  }
  for (const std::pmr::string& form : FormsOf(text, memory)) {
    const std::pmr::string letters = WithoutBetween(form, memory);
    if (letters.size() >= kAnywhere) Add(letters, value, false, spellings);
  }
  const std::pmr::string letters = WithoutBetween(text, memory);
  const bool plain = std::ranges::all_of(letters, [](char c) { return Is(c, kBase64Char) || c == '_'; });
  if (letters.size() < kAnywhere) Add(text, value, true, spellings);
  if (!plain || !LooksRandom(letters)) return;
  for (std::size_t i = 0; i + kAnywhere <= letters.size(); ++i) {
    const std::string_view piece = std::string_view(letters).substr(i, kAnywhere);
    const bool digit = std::ranges::any_of(piece, [](char c) { return Is(c, kDigitChar); });
    const bool alpha = std::ranges::any_of(piece, [](char c) { return Is(c, kAlphaChars); });
    if (digit && alpha) Add(piece, value, false, spellings);
  }
}

void KnownValues::Add(std::string_view form, std::uint32_t value, bool whole_word, Spellings& spellings) {
  const auto number = [](std::size_t size) { return static_cast<std::uint32_t>(size); };
  spellings.list.push_back({number(spellings.letters.size()), number(form.size()), number(forms_.size())});
  spellings.letters += form;
  forms_.push_back({number(form.size()), value, number(words_.size()), whole_word ? number(form.size()) : 0});
  if (whole_word) words_ += form;
}

void KnownValues::Build(const Spellings& spellings) {
  std::array<bool, 256> used{};
  for (const char c : spellings.letters) used[static_cast<unsigned char>(c)] = true;
  for (unsigned byte = 0; byte < 256; ++byte) {
    if (IsBetween(static_cast<char>(byte))) {
      class_of_[byte] = 1;
    } else if (used[byte]) {
      class_of_[byte] = static_cast<std::uint8_t>(classes_++);
    }
  }
  const std::size_t states = spellings.letters.size() + 1;
  // Once, for what an arena is asked for again it does not give back.
  next_.reserve(states * classes_);
  for (std::pmr::vector<std::uint32_t>* const column : {&form_, &depth_, &suffix_}) column->reserve(states);
  ends_.reserve(states);
  const auto add_state = [this](std::uint32_t depth) {
    next_.insert(next_.end(), classes_, kNone);
    form_.push_back(kNone);
    depth_.push_back(depth);
    return static_cast<std::uint32_t>(depth_.size() - 1);
  };
  add_state(0);
  for (const Spelling& spelling : spellings.list) {
    const std::uint32_t form = spelling.form;
    std::uint32_t state = 0;
    for (const char c : spellings.Of(spelling)) {
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
    if (state != 0 && (form_[state] == kNone || forms_[form_[state]].word_length > 0)) form_[state] = form;
  }
}

// Breadth first: where a state has no way on, that of its longest proper ending holds.
void KnownValues::Link() {
  SecretArena scratch((depth_.size() * 2 + 1024) * sizeof(std::uint32_t));
  std::pmr::vector<std::uint32_t> fail(depth_.size(), 0, &scratch);
  suffix_.assign(depth_.size(), kNone);
  ends_.assign(depth_.size(), kNothingEnds);
  std::pmr::vector<std::uint32_t> queue(&scratch);
  queue.reserve(depth_.size());
  queue.push_back(0);
  for (std::size_t i = 0; i < queue.size(); ++i) {
    const std::uint32_t state = queue[i];
    if (state != 0) {
      suffix_[state] = form_[fail[state]] != kNone ? fail[state] : suffix_[fail[state]];
      if (form_[state] != kNone) ends_[state] = forms_[form_[state]].word_length == 0 ? kFormEnds : kWordEnds;
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
    if (form.word_length > 0) continue;
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
    if (form.word_length == 0 || end < form.word_length) continue;
    const std::size_t begin = end - form.word_length;
    if (text.substr(begin, form.word_length) != WordOf(form)) continue;
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
