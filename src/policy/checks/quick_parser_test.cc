// What QuickParser takes, it makes the tree of that tree-sitter's grammar makes.
#include "policy/checks/quick_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "base/instrumented.h"
#include "policy/checks/source_text.h"

namespace casemate {
namespace {

enum class Outcome { kSame, kOther, kLeft };

bool Equal(const SyntaxNode& a, const SyntaxNode& b) {
  return a.kind == b.kind && a.field == b.field && a.depth == b.depth && a.begin == b.begin &&
         a.end == b.end && a.parent == b.parent && a.first_child == b.first_child && a.next == b.next;
}

// Whether the quick parser left `code` to the whole one, or made the same of it.
Outcome Compare(const std::string& code) {
  SourceText text;
  if (SourceText::Read(code, text)) return Outcome::kLeft;
  const auto quick = QuickParser(text.text()).Parse();
  if (!quick) return Outcome::kLeft;
  const auto whole = SyntaxTree::ParseWhole(text.text());
  if (!whole) return Outcome::kLeft;
  const bool same = !whole->error_at() && std::ranges::equal(whole->nodes(), *quick, Equal);
  return same ? Outcome::kSame : Outcome::kOther;
}

std::string ReadAll(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// The modules of the standard library that this host has.
std::vector<std::string> Library() {
  std::vector<std::string> programs;
  for (const auto& folder : std::filesystem::directory_iterator("/usr/lib")) {
    if (!folder.path().filename().string().starts_with("python3.")) continue;
    for (const auto& file : std::filesystem::directory_iterator(folder)) {
      if (file.path().extension() == ".py") programs.push_back(ReadAll(file.path()));
    }
  }
  return programs;
}

TEST(QuickParserTest, ReadsTheStandardLibraryAsTheGrammarDoes) {
  std::size_t bytes = 0;
  std::size_t quick_bytes = 0;
  for (const std::string& code : Library()) {
    const Outcome outcome = Compare(code);
    EXPECT_NE(outcome, Outcome::kOther) << code.substr(0, 200);
    bytes += code.size();
    quick_bytes += outcome == Outcome::kSame ? code.size() : 0;
  }
  EXPECT_GT(bytes, 1'000'000U);
  // Instrumented, the whole parser itself runs out of time.
  if (!kInstrumented) {
    EXPECT_GT(quick_bytes, bytes / 10 * 9);
  }
}

TEST(QuickParserTest, TakesWhatOrdinaryProgramsHave) {
  for (const char* code : {
           "",
           "x = 1",
           "# nothing\n",
           "a, b = b, a\n",
           "a, *b = c\n",
           "x: int = 3\ny: list[dict[str, int]] = []\nz: dict[str, int] | None = None\n",
           "x = y = yield z\n",
           "def f(a, /, b: int = 2, *c, d, **e) -> None: pass\n",
           "async def f():\n  async with a as b, c: await d\n  async for x in y:\n    pass\n  else: pass\n",
           "@a.b(c)  # why\n@d\nclass E(F, metaclass=G):\n\n  'text'\n  # end\n",
           "try:\n  a\nexcept (B, C) as d:\n  e\nexcept: f\nelse: g\nfinally:\n  h\n",
           "if (n := len(a)) > 10: pass\nelif not a: b; c;\nelse:\n\n  d\n",
           "while x: break\nelse: continue\n",
           "print([x for x in y if z if w], {a: b for a, b in c}, {d for d in e}, (f for g in h), *i, **j, "
           "k=l)\n",
           "lambda x, *y, z=3, **w: (yield)\nlambda: 0\n",
           "a if b else c if d else e\nnot a == b < c is not d not in e\n-a ** -b ** c\na & b ^ c | d << e\n",
           "x[1:2, ::3, ...]\nx[:]\nx[a:]\nx[1,]\n",
           "'a' \"b\" '''c\n'''\nr'\\\\'\nb'\\x00\\n\\7'\nu'\\N{DASH}\\u1234\\q'\n",
           "f'{a!r:>{b}}{{}}{c=}{d:%Y-%m}' rf'\\d{e}'\n",
           "0x1F, 0b1, 0o7, 1_000, 1.5e-3, .5, 1., 2j, 1e5j\n",
           "from . import a\nfrom ..b.c import (d as e, f,)\nfrom g import *\nimport h.i as j, k\n"
           "from __future__ import l\n",
           "global a, b\nnonlocal c\ndel d, e[0]\nassert f, g\nraise H from i\nreturn j, k\n",
           "x = (\n1 +  # one\n  2)\ny = a \\\n  + b\n",
           "if a:\n\tb\n\tif c:\n\t\td\n# out\ne\n",
           "match = type = 3\nmatch.a()\ntype(x)\nprint('a')\n",
       }) {
    EXPECT_EQ(Compare(code), Outcome::kSame) << code;
  }
}

TEST(QuickParserTest, LeavesTheRest) {
  for (const char* code : {"match x:\n  case 1: pass\n",
                           "print 'a'\n",
                           "exec 'a'\n",
                           "type X = int\n",
                           "(\n",
                           "if a:\nb\n",
                           "  a\n",
                           "a\n  b\n",
                           "if a:\n    b\n  c\n",
                           "x = \xC3\xA9\n",
                           "a b\n",
                           "f(\n",
                           "'a\n",
                           "'''a",
                           "f'{a'\n",
                           "f'}'\n",
                           "f'{a\n}'\n",
                           "1a\n",
                           "a = \\\n",
                           "$\n",
                           "a <> b\n",
                           "def f(1): pass\n",
                           "for 1 in x: pass\n",
                           "f() = 1\n",
                           "class A(x for x in y): pass\n",
                           "try:\n  a\nb\n",
                           "else: a\n",
                           "(a, b) += 1\n=",
                           "with (a): pass\n",
                           "except*: a\n"}) {
    EXPECT_EQ(Compare(code), Outcome::kLeft) << code;
  }
}

// Tokens and blanks of a program, one by one.
std::vector<std::string> Pieces(const std::string& code) {
  std::vector<std::string> pieces;
  const auto kind = [](char c) {
    return c == '_' || std::isalnum(static_cast<unsigned char>(c)) != 0 ? 0 : c == ' ' ? 1 : 2;
  };
  for (const char c : code) {
    if (!pieces.empty() && kind(c) < 2 && kind(c) == kind(pieces.back().back())) {
      pieces.back() += c;
    } else {
      pieces.emplace_back(1, c);
    }
  }
  return pieces;
}

constexpr const char* kTelling[] = {
    "print", "exec",   "match", "type",  "async",   "await",   "lambda", "yield",   "*",       "**",
    ":=",    "=",      ":",     "@",     "->",      " not ",   " in ",   " is ",    " if ",    " else ",
    " for ", " or ",   " and ", "f'",    "rb'",     "\\",      "{",      "}",       "...",     ".",
    "\n",    "\n    ", "#",     "'",     ",",       ";",       "(",      ")",       "[",       "]",
    "\f",    "\t",     " as ",  "from ", "import ", "global ", "del ",   "+=",      "<",       "~",
    "rf\"",  "{{",     "!r",    "def ",  "class ",  "with ",   "try:",   "except ", "return ", "raise ",
    "1",     "0x",     "1.",    "e5",    "_",       "\\\n"};

// Small changes of ordinary programs: what is still taken must be right.
TEST(QuickParserTest, IsRightAboutChangedPrograms) {
  std::string all = ReadAll("tests/checks/ordinary.txt") + ReadAll("tests/checks/obfuscations.txt");
  for (const std::string& code : Library()) all += code.substr(0, 4000);
  const std::vector<std::string> pieces = Pieces(all);
  std::vector<std::size_t> lines;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    if (pieces[i] == "\n" && i + 1 < pieces.size() &&
        std::isalpha(static_cast<unsigned char>(pieces[i + 1][0])) != 0)
      lines.push_back(i + 1);
  }
  const char* rounds_text = std::getenv("CASEMATE_QUICK_ROUNDS");
  const int rounds = rounds_text == nullptr ? 20'000 : std::stoi(rounds_text);
  std::mt19937 random(20'251'122);  // NOLINT(bugprone-random-generator-seed): the same in each run
  const auto below = [&random](std::size_t count) { return random() % count; };
  const auto piece = [&] {
    return below(2) == 0 ? pieces[below(pieces.size())] : std::string(kTelling[below(std::size(kTelling))]);
  };
  int taken = 0;
  for (int round = 0; round < rounds; ++round) {
    const std::size_t begin = lines[below(lines.size())];
    std::vector<std::string> some(
        pieces.begin() + static_cast<std::ptrdiff_t>(begin),
        pieces.begin() + static_cast<std::ptrdiff_t>(std::min(begin + 5 + below(120), pieces.size())));
    for (std::size_t changes = 1 + below(3); changes > 0 && !some.empty(); --changes) {
      const auto at = some.begin() + static_cast<std::ptrdiff_t>(below(some.size()));
      switch (below(4)) {
        case 0:
          some.erase(at);
          break;
        case 1:
          *at = piece();
          break;
        case 2:
          some.insert(at, piece());
          break;
        default:
          std::swap(*at, some[below(some.size())]);
          break;
      }
    }
    std::string code;
    for (const std::string& each : some) code += each;
    const Outcome outcome = Compare(code);
    taken += outcome == Outcome::kSame ? 1 : 0;
    EXPECT_NE(outcome, Outcome::kOther) << code;
  }
  EXPECT_GT(taken, rounds / 20);
}

}  // namespace
}  // namespace casemate
