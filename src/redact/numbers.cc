#include <algorithm>
#include <bit>
#include <cstdint>

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

#include "redact/finders.h"
#include "redact/text_class.h"
#include "redact/validators.h"

namespace casemate {
namespace {

constexpr std::size_t kBlock = 64;
constexpr unsigned kRunMin = 9;
constexpr std::size_t kIbanMax = 34 + 8;  // with a space between groups of four
constexpr std::size_t kOpenMax = 32;

bool IsNumberPart(char c) {
  return Is(c, kDigitChar) || c == ' ' || c == '-' || c == '.' || c == '(' || c == ')' || c == '/';
}

// A bit for each byte of a block.
struct Masks {
  std::uint64_t digits = 0;
  std::uint64_t parts = 0;  // of a number: digits and what may stand between them
};

Masks ScalarMasks(std::string_view block) {
  Masks masks;
  for (std::size_t i = 0; i < block.size(); ++i) {
    masks.digits |= static_cast<std::uint64_t>(Is(block[i], kDigitChar)) << i;
    masks.parts |= static_cast<std::uint64_t>(IsNumberPart(block[i])) << i;
  }
  return masks;
}

#if defined(__x86_64__)
Masks BlockMasks(const char* block) {
  Masks masks;
  for (unsigned i = 0; i < kBlock; i += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(block + i));
    // Unsigned bytes below 10 once '0' is taken away; SSE2 compares signed ones.
    const __m128i moved = _mm_add_epi8(bytes, _mm_set1_epi8(static_cast<char>(0x80 - '0')));
    const __m128i digits = _mm_cmplt_epi8(moved, _mm_set1_epi8(static_cast<char>(-0x80 + 10)));
    __m128i parts = _mm_or_si128(digits, _mm_cmpeq_epi8(bytes, _mm_set1_epi8(' ')));
    // ( ) and - . / : 40, 41, 45 to 47.
    for (const char c : {'(', ')', '-', '.', '/'})
      parts = _mm_or_si128(parts, _mm_cmpeq_epi8(bytes, _mm_set1_epi8(c)));
    masks.digits |= static_cast<std::uint64_t>(static_cast<unsigned>(_mm_movemask_epi8(digits))) << i;
    masks.parts |= static_cast<std::uint64_t>(static_cast<unsigned>(_mm_movemask_epi8(parts))) << i;
  }
  return masks;
}
#else
Masks BlockMasks(const char* block) { return ScalarMasks({block, kBlock}); }
#endif

Masks MasksAt(std::string_view text, std::size_t at) {
  if (at + kBlock <= text.size()) return BlockMasks(text.data() + at);
  if (at >= text.size()) return {0, ~std::uint64_t{0}};
  Masks masks = ScalarMasks(text.substr(at));
  masks.parts |= ~std::uint64_t{0} << (text.size() - at);  // what comes may go on
  return masks;
}

// The bits of `now` from which on nine bits in a row are set, in `next` too: by twos, fours, eights, and one.
std::uint64_t LongRuns(std::uint64_t now, std::uint64_t next) {
  const auto shifted = [](std::uint64_t low, std::uint64_t high, unsigned by) {
    return low >> by | high << (kBlock - by);
  };
  const std::uint64_t first = now;
  const std::uint64_t after = next;
  for (unsigned by = 1; by < kRunMin - 1; by *= 2) {
    now &= shifted(now, next, by);
    next &= next >> by;
  }
  return now & shifted(first, after, kRunMin - 1);
}

bool HasCountryBefore(std::string_view text, std::size_t at) {
  return at >= 2 && Is(text[at - 1], kUpperChar) && Is(text[at - 2], kUpperChar) &&
         (at == 2 || !Is(text[at - 3], kAlnumChars));
}

}  // namespace

void FindNumbers(std::string_view text, std::size_t from, std::vector<std::size_t>& places) {
  bool digit_before = from > 0 && Is(text[from - 1], kDigitChar);
  Masks next = MasksAt(text, from);
  for (std::size_t at = from; at < text.size(); at += kBlock) {
    const Masks now = next;
    next = MasksAt(text, at + kBlock);
    std::uint64_t starts = now.digits & ~(now.digits << 1U | static_cast<std::uint64_t>(digit_before));
    digit_before = now.digits >> 63U != 0;
    const std::uint64_t run = starts == 0 ? 0 : LongRuns(now.parts, next.parts);
    while (starts != 0) {
      const auto bit = static_cast<unsigned>(std::countr_zero(starts));
      starts &= starts - 1;
      const std::size_t place = at + bit;
      if ((run >> bit & 1U) != 0 || HasCountryBefore(text, place)) places.push_back(place);
    }
  }
}

Match FindIban(const KnownText& known, std::size_t at) {
  if (!HasCountryBefore(known.text, at)) return Match::None();
  const std::size_t begin = at - 2;
  if (known.Unknown(at + 2)) return Match::Open(begin);
  if (at + 2 >= known.size() || !Is(known[at + 1], kDigitChar)) return Match::None();
  std::size_t end = begin;
  while (end < known.size() && end - begin < kIbanMax) {
    const char c = known[end];
    const bool gap = (c == ' ' || c == '-') && Is(known[end - 1], kUpperChar | kDigitChar);
    if (!Is(c, kUpperChar | kDigitChar) && !gap) break;
    ++end;
  }
  if (end == known.size() && end - begin < kIbanMax && !known.final) return Match::Open(begin);
  for (; end > begin + 14; --end) {
    if (!Is(known[end - 1], kUpperChar | kDigitChar)) continue;
    if (end < known.size() && Is(known[end], kAlnumChars)) continue;
    if (IsIban(known.text.substr(begin, end - begin))) return Match::Found(begin, end);
  }
  return Match::None();
}

std::size_t OpenEmail(std::string_view text, std::size_t from) {
  std::size_t begin = text.size();
  while (begin > from && text.size() - begin <= 64 && Is(text[begin - 1], kEmailChar)) --begin;
  // Longer than a local part may be: whatever follows, there is no address.
  return text.size() - begin > 64 ? text.size() : begin;
}

std::size_t OpenNumber(std::string_view text, std::size_t from) {
  std::size_t begin = text.size();
  while (begin > from && text.size() - begin < kOpenMax &&
         (Is(text[begin - 1], kUpperChar) || text[begin - 1] == '+' || text[begin - 1] == '(')) {
    --begin;
  }
  return std::max(begin, text.size() - std::min<std::size_t>(text.size(), 4));
}

}  // namespace casemate
