#include "casemate/redactor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <functional>
#include <random>

#include "base/file.h"
#include "model/base64.h"
#include "model/json.h"
#include "redact/example_text.h"
#include "redact/rules/rule_file.h"
#include "redact/scanner.h"

namespace casemate {
namespace {

using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kValue = "Zx9-fT2q/Lm84+RtYw:7";  // with what may stand in between

std::unique_ptr<Redactor> Make(std::string sets = "secrets", std::vector<KnownSecret> known = {}) {
  auto made = MakeRedactor({std::move(sets), {}, "", ""}, known);
  EXPECT_TRUE(made.has_value()) << made.error().message;
  return *std::move(made);
}

std::string Clean(std::string_view text, std::string sets = "secrets", std::vector<KnownSecret> known = {}) {
  return Make(std::move(sets), std::move(known))->Text(text, "stdout").text();
}

TEST(Redactor, TellsWhatItFoundAndWhereButNotTheThing) {
  const auto redactor = Make();
  const std::string token = "ghp_" + ExpandExample("{{alnum:36}}", 3);
  EXPECT_EQ(redactor->Text("a " + token + "\nb " + token, "stdout").text(),
            "a [REDACTED_GITHUB_TOKEN]\nb [REDACTED_GITHUB_TOKEN]");
  EXPECT_EQ(redactor->Text(token, "stderr").text(), "[REDACTED_GITHUB_TOKEN]");
  EXPECT_THAT(redactor->Redactions(), ElementsAre(Redaction{"github_token", "stdout", 2, 2},
                                                  Redaction{"github_token", "stderr", 1, 0}));
}

TEST(Redactor, LeavesOrdinaryTextByteForByte) {
  constexpr std::array<std::string_view, 22> kTexts = {
      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  file",
      "id 550e8400-e29b-41d4-a716-446655440000 is new",
      "[1, 2, 3, 4.5, 1e-9] shape=(1024, 768) dtype=float32",
      "  File \"/usr/lib/python3/dist-packages/numpy/core/fromnumeric.py\", line 88, in _wrapreduction",
      "pandas==2.1.4 numpy-1.26.4-cp311-cp311-manylinux_2_17_x86_64.whl",
      "commit 9fceb02d0ae598e95dc970b74767f19372d61af8",
      "2026-11-21T14:09:35.123456Z INFO request took 12 ms",
      "the token bucket has 5 tokens left; the key is in the lock",
      "password: ********",
      "export PASSWORD=${DB_PASSWORD}",
      "api_key = \"<your-api-key>\"",
      "AKIAIOSFODNN7EXAMPLE",
      "def check(password: str, token: Optional[str] = None) -> bool:",
      "{\"password\": null, \"token\": true}",
      "max_tokens: 4096, token_type: bearer",
      "https://example.org/path?page=2&sort=asc#top",
      "for key in sorted(secrets): print(key)",
      "KeyError: 'password'",
      "TypeError: login() missing 1 required positional argument: 'password'",
      "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk",
      "sk-learn, task-management-for-everyone, risk-averse-investors-only-please",
      "\xff\xfe\0binary\x80\x81"};
  for (const std::string_view text : kTexts) EXPECT_EQ(Clean(text), text);
}

// Texts in which everything stands close to everything.
std::vector<std::string> Corpus() {
  std::vector<std::string> texts;
  std::uint64_t seed = 1;
  for (const auto& entry : std::filesystem::directory_iterator("profiles/redaction")) {
    const auto text = ReadFile(entry.path(), 1 << 20);
    const auto file = ReadRuleFile("x", text.value_or(""));
    if (!file) continue;
    for (const RuleExamples& rule : file->examples) {
      for (const auto* examples : {&rule.match, &rule.no_match}) {
        for (const std::string& example : *examples) texts.push_back(ExpandExample(example, ++seed));
      }
    }
  }
  return texts;
}

struct Chunked {
  RedactedBytes text;
  std::vector<Redaction> found;
  std::size_t held_most = 0;
};
Chunked InChunks(std::string_view text, std::vector<KnownSecret> known,
                 const std::function<std::size_t()>& next) {
  const auto redactor = Make("all", std::move(known));
  const auto stream = redactor->Stream("stdout");
  Chunked result;
  while (!text.empty()) {
    const std::string_view chunk = text.substr(0, next());
    stream->Feed(chunk, result.text);
    text.remove_prefix(chunk.size());
  }
  stream->Finish(result.text);
  result.found = redactor->Redactions();
  return result;
}

TEST(StreamRedactor, GivesTheSameForAllChunks) {
  std::mt19937 random(20261121);  // NOLINT(bugprone-random-generator-seed): the same texts each time
  const std::vector<std::string> corpus = Corpus();
  constexpr std::array<std::string_view, 14> kBetween = {
      " ", "\n", "", "=", ": ", "\"", "', '", "@", "\\n", "://", "password=", " +", "\xc3\xa9", ", "};
  const std::vector<KnownSecret> known = {{"A", kValue}, {"B", "tiny7"}, {"C", "0123456789abcdefghijKLMN"}};
  for (int round = 0; round < 800; ++round) {
    std::string text;
    for (unsigned i = 0; i < 2 + random() % 6; ++i) {
      text += kBetween[random() % kBetween.size()];
      const std::string& part = corpus[random() % corpus.size()];
      const auto cut = random() % 3;
      text += cut == 0   ? part.substr(random() % (part.size() + 1))
              : cut == 1 ? part
                         : part.substr(0, random() % part.size());
      if (random() % 4 == 0) text += known[random() % 3].value.substr(random() % 3);
      if (random() % 8 == 0) text += EncodeBase64("x" + std::string(kValue));
    }
    const Chunked whole = InChunks(text, known, [&text] { return text.size(); });
    const Chunked bytes = InChunks(text, known, [] { return 1; });
    ASSERT_EQ(bytes.text, whole.text) << text;
    ASSERT_EQ(bytes.found, whole.found) << text;
    const Chunked some = InChunks(text, known, [&random] { return 1 + random() % 40; });
    ASSERT_EQ(some.text, whole.text) << text;
    ASSERT_EQ(some.found, whole.found) << text;
  }
}

TEST(StreamRedactor, AKnownValueThatBeganInAKeyIsTheRestOfThatKey) {
  const std::string text =
      "-----BEGIN PRIVATE KEY-----q/Lm84+RtYwZx9Zx9-fT2q/Lm84+RtY:7-f more, to the end of the line";
  const std::vector<KnownSecret> known = {{"A", kValue}};
  EXPECT_EQ(InChunks(text, known, [] { return 1; }).text,
            InChunks(text, known, [&text] { return text.size(); }).text);
}

TEST(StreamRedactor, LetsOutAtOnceWhatCanBeNoPartOfASecret) {
  const auto redactor = Make();
  const auto stream = redactor->Stream("stdout");
  RedactedBytes out;
  stream->Feed("step 1 of 3 is done\n", out);
  EXPECT_EQ(out.text(), "step 1 of 3 is done\n");
  stream->Feed("password = \"hunt", out);
  EXPECT_THAT(out.text(), Not(HasSubstr("hunt")));
  stream->Feed("er2\"\nnext\n", out);
  EXPECT_EQ(out.text(), "step 1 of 3 is done\npassword = \"[REDACTED_PASSWORD]\"\nnext\n");
}

TEST(StreamRedactor, AKeywordInsideAMatchThatHasGoneIsNoKeyword) {
  const std::string text = "passwd=\"DD_API_KEY\":895eb42f\"";
  EXPECT_EQ(InChunks(text, {}, [] { return 1; }).text,
            InChunks(text, {}, [&text] { return text.size(); }).text);
}

TEST(Redactor, TakesOutWhatStandsBeforeAKeyword) {
  const std::string key = ExpandExample("{{hex:32}}", 9);
  EXPECT_EQ(Clean("key " + key + "-us12 refused"),
            "key " + key.substr(0, 3) + "[REDACTED_MAILCHIMP_KEY] refused");
  EXPECT_EQ(Clean(key + "00-us12"), key + "00-us12");
  for (const std::string_view lead : {"hex", "hex:32:32", "hex:97:3", "base64:20:3", "hex:32:3:1"}) {
    const std::string rule =
        "[[rule]]\nname = \"x\"\nset = \"secrets\"\nkind = \"token\"\nkeywords = [\"-ac\"]\n"
        "pattern = \"-ac\"\nreplacement = \"[REDACTED]\"\nreason = \"r\"\nmatch = [\"x\"]\nlead = \"" +
        std::string(lead) + "\"\n";
    const auto refused = MakeRedactor({"secrets", {}, rule, "mine"}, {});
    ASSERT_FALSE(refused.has_value()) << lead;
    EXPECT_THAT(refused.error().message, HasSubstr("a lead is")) << lead;
  }
}

TEST(StreamRedactor, LetsOutHalfALineAtOnce) {
  for (const std::string_view half :
       {"Enter password: ", "Password for 'https://alice@git.example.org': ", "Continue? [y/n] ",
        "api_key = ", "loading files", "starting mysql", "the token is ", "user@host:~$ ", "Authorization",
        "step 1 of 3", "done, see the pass", "postgres://", "{\"secret\": ", "50%"}) {
    const auto redactor = Make();
    const auto stream = redactor->Stream("stdout");
    RedactedBytes out;
    stream->Feed(half, out);
    EXPECT_EQ(out.text(), half);
  }
}

// By the clock: what is no part of a secret leaves in the call that brings it, and that call is over within 5
// ms for all that a pipe holds.
TEST(StreamRedactor, DelaysOutputByMilliseconds) {
  std::string text;
  while (text.size() < 64 * 1024) text += "2026-11-21 12:00:00 GET /api/v1/items/17 200 12ms user=alice\n";
  const auto redactor = Make("all");
  const auto stream = redactor->Stream("stdout");
  auto least = std::chrono::steady_clock::duration::max();
  for (int i = 0; i < 50; ++i) {
    RedactedBytes out;
    const auto begin = std::chrono::steady_clock::now();
    stream->Feed(text, out);
    least = std::min(least, std::chrono::steady_clock::now() - begin);
    EXPECT_EQ(out.text(), text);
  }
  EXPECT_LT(least, std::chrono::milliseconds(5));
}

TEST(StreamRedactor, LetsOutNoBeginningOfASecret) {
  const std::vector<KnownSecret> known = {{"KEY", "q8Zr3nT5vB7xK2mW9cL4"}};
  const auto redactor = Make("secrets", known);
  for (const auto& [before, secret] : std::vector<std::pair<std::string, std::string>>{
           {"the key ", "ghp_" + ExpandExample("{{alnum:36}}", 5)},
           {"password: ", "hunter2-and-more"},
           {"postgres://app:", "hunter2@"},
           {"Authorization: Bearer ", ExpandExample("{{alnum:40}}", 6)},
           {"", "q8Zr3nT5vB7xK2mW9cL4"},
           {"", "AKIA" + ExpandExample("{{base32:16}}", 7)}}) {
    const auto stream = redactor->Stream("stdout");
    RedactedBytes out;
    for (const char c : before + secret) stream->Feed({&c, 1}, out);
    EXPECT_TRUE(std::string_view(before).starts_with(out.text())) << out.text();
    EXPECT_LE(before.size(), out.size() + 22);
  }
}

TEST(StreamRedactor, TakesOutTokensAndKeysOfAnyLength) {
  const std::string key = "-----BEGIN RSA PRIVATE KEY-----\n" + ExpandExample("{{alnum:20000}}", 5) +
                          "\n-----END RSA PRIVATE KEY-----\nafter";
  const std::string token = "a ya29." + ExpandExample("{{alnum:20000}}", 6) + " b";
  const std::string quoted = "password='" + ExpandExample("{{alnum:20000}}", 7) + "' c";
  for (const std::size_t size : {std::size_t{1}, std::size_t{1000}, std::size_t{100000}}) {
    const auto next = [size] { return size; };
    EXPECT_EQ(InChunks(key, {}, next).text.text(), "[REDACTED_PRIVATE_KEY]\nafter");
    EXPECT_EQ(InChunks(token, {}, next).text.text(), "a [REDACTED_GOOGLE_OAUTH_TOKEN] b");
    EXPECT_EQ(InChunks(quoted, {}, next).text.text(), "password='[REDACTED_PASSWORD]' c");
  }
}

class NoSink : public ScanSink {
 public:
  void Keep(std::string_view /*text*/) override {}
  void Drop(std::uint64_t /*begin*/, std::uint64_t /*end*/, int /*what*/) override {}
};

TEST(StreamRedactor, HoldsLittle) {
  const auto rules = CompiledRules::BuiltIn(kAllRules);
  for (const std::string_view start :
       {"password = \"", "password = ", "://", "://a:", "-----BEGIN RSA PRIVATE KEY-----\n", "sk-", "eyJ",
        "a@", "authorization: bearer ", "cookie: ", "curl ", "10.", "curl mysql -u a:b"}) {
    for (const std::string_view unit :
         {"a", "1", "\"", "eyJ", "a@", "password=", ",", " ", "-----", "AKIA", "a.", "://",
          "authorization: bearer ", "curl mysql -u a:bbb -pcccc "}) {
      std::string text(start);
      while (text.size() < 30000) text += unit;
      Scanner scanner(*rules, nullptr);
      NoSink sink;
      scanner.Feed(text, sink);
      EXPECT_LE(scanner.held(), Scanner::kHoldMax) << start << unit;
    }
  }
}

TEST(Redactor, FindsKnownValuesInAllTheirForms) {
  const std::string value(kValue);
  const auto hex = [&value](std::string_view before, std::string_view digits, std::string_view after) {
    std::string text;
    for (const char c : value) {
      const auto byte = static_cast<unsigned char>(c);
      text += std::string(before) + digits[byte >> 4U] + digits[byte & 15U] + std::string(after);
    }
    return text;
  };
  constexpr std::string_view kLower = "0123456789abcdef";
  constexpr std::string_view kUpper = "0123456789ABCDEF";
  const auto between = [&value](std::string_view what) {
    std::string text;
    for (const char c : value) text += std::string(text.empty() ? "" : what) + c;
    return text;
  };
  std::vector<std::string> forms = {value,
                                    {value.rbegin(), value.rend()},
                                    hex("", kLower, ""),
                                    hex("", kUpper, ""),
                                    hex("\\x", kLower, ""),
                                    hex("", kLower, " "),
                                    hex("%", kUpper, ""),
                                    hex("", kLower, ":"),
                                    "Zx9-fT2q%2FLm84%2BRtYw%3A7",
                                    "Zx9-fT2q%2fLm84%2bRtYw%3a7",
                                    between(" "),
                                    between("\n"),
                                    between("', '"),
                                    "Zx9-fT2q/\nLm84+RtYw:7"};
  for (const std::string& form : forms) {
    const std::string cleaned = Clean("[" + form + "]", "off", {{"KEY", value}});
    EXPECT_THAT(cleaned, testing::MatchesRegex("\\[\\\\?\\[REDACTED_SECRET\\][ :]?\\]")) << form;
  }
  for (const std::string_view before : {"", "a", "ab", "abc"}) {
    for (const std::string_view after : {"", "y", "yz"}) {
      std::string encoded = EncodeBase64(std::string(before) + value + std::string(after));
      EXPECT_THAT(Clean(encoded, "off", {{"KEY", value}}), HasSubstr("[REDACTED_SECRET]")) << encoded;
      EXPECT_LE(Clean(encoded, "off", {{"KEY", value}}).size(), 17U + 2U * 8U) << encoded;
      for (char& c : encoded) c = c == '+' ? '-' : c == '/' ? '_' : c;
      while (encoded.ends_with('=')) encoded.pop_back();
      EXPECT_THAT(Clean(encoded, "off", {{"KEY", value}}), HasSubstr("[REDACTED_SECRET]")) << encoded;
    }
  }
}

TEST(Redactor, FindsEscapedFormsOfKnownValues) {
  const std::vector<KnownSecret> known = {{"KEY", "p\"a's\\s<w>\xc3\xb6rd&99"}};
  for (const std::string_view form :
       {"p\\\"a's\\\\s<w>\xc3\xb6rd&99", "p\\\"a's\\\\s\\u003cw\\u003e\\u00f6rd\\u002699",
        "p\"a'\\''s\\s<w>\xc3\xb6rd&99", "p%22a%27s%5Cs%3Cw%3E%C3%B6rd%2699",
        "p&quot;a&#x27;s\\s&lt;w&gt;\xc3\xb6rd&amp;99", "p\\\"a\\'s\\\\s\\<w\\>\xc3\xb6rd\\&99"}) {
    EXPECT_EQ(Clean("<" + std::string(form) + ">", "off", known), "<[REDACTED_SECRET]>") << form;
  }
}

TEST(Redactor, FindsShortKnownValuesAsWholeWordsOnly) {
  const std::vector<KnownSecret> known = {{"PIN", "4711x"}, {"TOO_SHORT", "abc"}};
  EXPECT_EQ(Clean("pin 4711x, 4711xy, a4711x, 4711x", "off", known),
            "pin [REDACTED_SECRET], 4711xy, a4711x, [REDACTED_SECRET]");
  EXPECT_EQ(Clean("4711 x abc", "off", known), "4711 x abc");
}

TEST(Redactor, FindsHalvesOfRandomKnownValues) {
  const std::string value = "q8Zr3nT5vB7xK2mW9cL4";
  const auto redactor = Make("off", {{"KEY", value}});
  EXPECT_EQ(redactor->Text("out " + value.substr(0, 10), "stdout").text(), "out [REDACTED_SECRET]");
  EXPECT_EQ(redactor->Text("err " + value.substr(10), "stderr").text(), "err [REDACTED_SECRET]");
  EXPECT_THAT(redactor->Redactions(),
              ElementsAre(Field(&Redaction::rule, "known:KEY"), Field(&Redaction::rule, "known:KEY")));
}

TEST(Redactor, KeepsJsonValid) {
  const auto redactor = Make("secrets", {{"KEY", "q8Zr3nT5vB7xK2mW9cL4"}, {"NUMBER", "8005550123"}});
  const auto clean = [&redactor](std::string_view text) {
    const auto json = ParseJson(text);
    EXPECT_TRUE(json.has_value()) << text;
    return redactor->Json(*json, "result").json().text();
  };
  EXPECT_EQ(clean(R"({"a":["x",1,true],"b":{}})"), R"({"a":["x",1,true],"b":{}})");
  EXPECT_EQ(clean(R"({"password":"hunter2","n":1})"), R"({"password":"[REDACTED_PASSWORD]","n":1})");
  EXPECT_EQ(clean(R"(["\nq8Zr3nT5vB7xK2mW9cL4\n"])"), R"(["\n[REDACTED_SECRET]\n"])");
  EXPECT_EQ(clean(R"(["q8Zr3nT5vB","7xK2mW9cL4",5])"), R"(["[REDACTED_SECRET]","",5])");
  EXPECT_EQ(clean(R"({"q8Zr3nT5vB7xK2mW9cL4":1})"), R"({"[REDACTED_SECRET]":1})");
  EXPECT_EQ(clean("[8005550123]"), "[\"[REDACTED_SECRET]\"]");
  const std::string keys = clean(R"({"q8Zr3nT5vB7xK2mW9cL4":1,"4Lc9Wm2Kx7Bv5Tn3rZ8q":2})");
  EXPECT_TRUE(ParseJson(keys).has_value()) << keys;
  EXPECT_THAT(keys, Not(HasSubstr("q8Zr3nT5")));
}

TEST(Redactor, RefusesWhatItCannotUse) {
  const auto refusal = [](const RedactionRules& rules) { return MakeRedactor(rules, {}).error().message; };
  EXPECT_THAT(refusal({"secret", {}, "", ""}), HasSubstr("no redaction set \"secret\""));
  EXPECT_THAT(refusal({"all", {"nothing"}, "", ""}), HasSubstr("no redaction rule \"nothing\""));
  EXPECT_THAT(refusal({"all", {}, "[[rule]]\nname = 1", "mine"}), HasSubstr("mine"));
  EXPECT_THAT(refusal({"all",
                       {},
                       R"([[rule]]
name = "x"
set = "secrets"
kind = "token"
keywords = ["ACME-"]
pattern = "ACME-(["
replacement = "[REDACTED_ACME]"
reason = "ours"
match = ["ACME-1"])",
                       "mine"}),
              HasSubstr("RE2 expression"));
}

TEST(Redactor, TakesRulesOfOnesOwnAndSwitchesOthersOff) {
  const std::string own = R"([[rule]]
name = "acme_badge"
set = "internal"
kind = "token"
keywords = ["ACME-"]
pattern = 'ACME-[0-9]{6}'
replacement = "[REDACTED_BADGE]"
reason = "our badges"
match = ["ACME-123456"]
)";
  const auto redactor = MakeRedactor({"internal", {"home_folder"}, own, "mine"}, {});
  ASSERT_TRUE(redactor.has_value()) << redactor.error().message;
  EXPECT_EQ((*redactor)->Text("ACME-123456 /home/alice 10.0.0.1", "x").text(),
            "[REDACTED_BADGE] /home/alice [REDACTED_PRIVATE_IP]");
}

}  // namespace
}  // namespace casemate
