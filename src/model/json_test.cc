#include "model/json.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "model/json_value.h"

namespace casemate {
namespace {

using Kind = JsonError::Kind;

// The compact form, or the error's kind in angle brackets.
std::string Compact(std::string_view text, const JsonLimits& limits = {}) {
  const auto parsed = ParseJson(text, limits);
  if (!parsed) return "<" + std::string(JsonErrorKindName(parsed.error().kind)) + ">";
  const auto again = ParseJson(parsed->text(), limits);
  EXPECT_TRUE(again.has_value() && *again == *parsed) << text;
  return parsed->text();
}

std::string Repeat(std::string_view part, std::size_t times) {
  std::string text;
  for (std::size_t i = 0; i < times; ++i) text += part;
  return text;
}

TEST(Json, NumbersKeepTheirText) {
  for (const char* number : {"0", "-0", "1", "-1", "1E400", "1e-400", "1.0", "1.10", "-0.0e+00", "0.1",
                             "9007199254740993", "18446744073709551615", "18446744073709551616",
                             "-9223372036854775809", "123456789012345678901234567890",
                             "1.7976931348623157e308", "0.30000000000000004441", "1e2147483647"}) {
    EXPECT_EQ(Compact(number), number);
    EXPECT_EQ(Compact(std::string("  [ ") + number + " , " + number + " ] "),
              std::string("[") + number + "," + number + "]");
    // Boost reads a number in another way when 33 or more bytes follow.
    const std::string padded = std::string(number) + ",\"" + Repeat("p", 64) + "\"";
    EXPECT_EQ(Compact("[" + padded + "]"), "[" + padded + "]");
  }
  const std::string huge = Repeat("1234567890", 20'000);
  EXPECT_EQ(Compact(huge), huge);
}

TEST(Json, NumbersThatAreNone) {
  for (const char* text : {"01", "-", "+1", ".5", "1.", "1e", "1e+", "0x10", "NaN", "Infinity", "-Infinity",
                           "1_0", "--1", "- 1", "00", "-01"}) {
    EXPECT_EQ(Compact(text), "<syntax>") << text;
    EXPECT_EQ(Compact("[" + std::string(text) + ",\"" + Repeat("p", 64) + "\"]"), "<syntax>") << text;
  }
  EXPECT_EQ(Compact("1e99999999999"), "<number>");
}

TEST(Json, StringsGetTheFewestEscapes) {
  EXPECT_EQ(Compact(R"("\u0041\/\u00e9\ud83d\ude00")"), "\"A/\u00e9\U0001F600\"");
  EXPECT_EQ(Compact(R"("\u0000\u001f\u007f\b\f\n\r\t\"\\")"),
            "\"\\u0000\\u001f\x7f\\b\\f\\n\\r\\t\\\"\\\\\"");
  EXPECT_EQ(Compact(R"("\u000A")"), R"("\n")");
  EXPECT_EQ(Compact(R"({"\u0061" : "" , "" : [ ] , "b" : { } })"), R"({"a":"","":[],"b":{}})");
  EXPECT_EQ(Compact(" null "), "null");
  EXPECT_EQ(Compact("[true,false]"), "[true,false]");
  const std::string escaped = Repeat(R"(\u0041)", 50'000);
  EXPECT_EQ(Compact("{\"" + escaped + "\":\"" + escaped + "\"}"),
            "{\"" + Repeat("A", 50'000) + "\":\"" + Repeat("A", 50'000) + "\"}");
}

TEST(Json, WhatIsNotJson) {
  for (const char* text : {"",
                           " ",
                           "[",
                           "]",
                           "{",
                           "[1,]",
                           "[,1]",
                           "{\"a\"}",
                           "{\"a\":}",
                           "{\"a\":1,}",
                           "{a:1}",
                           "'a'",
                           "[1 2]",
                           "tru",
                           "nulll",
                           "1 2",
                           "[1]]",
                           "// x\n1",
                           "1/**/",
                           "\xEF\xBB\xBF"
                           "1",
                           "\"\n\"",
                           "\"\t\"",
                           R"("\x41")",
                           R"("\u12")",
                           "\"abc",
                           R"("\)",
                           "\v1",
                           "{\"a\":1 \"b\":2}"}) {
    EXPECT_EQ(Compact(text), "<syntax>") << text;
  }
  EXPECT_EQ(Compact(std::string_view("1\0", 2)), "<syntax>");
  EXPECT_EQ(Compact(std::string_view("\"\0\"", 3)), "<syntax>");
}

TEST(Json, Utf8AndSurrogates) {
  for (const char* bytes : {"\xff", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                            "\xf8\x88\x80\x80", "\xc3", "\xe2\x82", "\xf0\x9f\x98", "\x80", "a\xe9z"}) {
    EXPECT_EQ(Compact("\"" + std::string(bytes) + "\""), "<utf8>") << testing::PrintToString(bytes);
    EXPECT_EQ(Compact("{\"" + std::string(bytes) + "\":1}"), "<utf8>");
    EXPECT_EQ(Compact("\"" + Repeat("x", 100) + bytes + Repeat("x", 100) + "\""), "<utf8>");
  }
  EXPECT_EQ(Compact("\"\xf4\x8f\xbf\xbf\""), "\"\xf4\x8f\xbf\xbf\"");
  for (const char* escape : {R"("\ud800")", R"("\udc00")", R"("\ud800\ud800")", R"("\ud800x")",
                             R"("\ud83dA")", R"("\udfff\ud800")", R"({"\ud800":1})"}) {
    EXPECT_EQ(Compact(escape), "<surrogate>") << escape;
  }
  EXPECT_EQ(Compact("\"\\\\ud800\n\""), "<syntax>");
}

TEST(Json, DepthIsBounded) {
  const JsonLimits three{1024, 3};
  EXPECT_EQ(Compact("[[[1]]]", three), "[[[1]]]");
  EXPECT_EQ(Compact("[[[[1]]]]", three), "<depth>");
  EXPECT_EQ(Compact(R"({"a":{"b":[{}]}})", three), "<depth>");
  EXPECT_EQ(Compact("1", {1024, 0}), "1");
  EXPECT_EQ(Compact("[]", {1024, 0}), "<depth>");

  constexpr std::size_t kDeep = 1'000'000;
  const JsonLimits any{static_cast<std::size_t>(-1), static_cast<std::size_t>(-1)};
  EXPECT_EQ(Compact(Repeat("[", kDeep) + Repeat("]", kDeep), any), "<depth>");
  EXPECT_EQ(Compact(Repeat("{\"a\":", kDeep), any), "<depth>");
  const std::string deepest = Repeat("[", kJsonDepthCeiling) + Repeat("]", kJsonDepthCeiling);
  EXPECT_EQ(Compact(deepest, any), deepest);
}

TEST(Json, SizeIsBounded) {
  EXPECT_EQ(Compact("[1,2]", {5, 64}), "[1,2]");
  EXPECT_EQ(Compact("[1,23]", {5, 64}), "<size>");
}

TEST(Json, DuplicateKeys) {
  EXPECT_EQ(Compact(R"({"a":1,"a":1})"), "<duplicate_key>");
  EXPECT_EQ(Compact(R"({"a":1,"\u0061":1})"), "<duplicate_key>");
  EXPECT_EQ(Compact(R"([{"b":{"x":1,"y":2,"x":3}}])"), "<duplicate_key>");
  EXPECT_EQ(Compact(R"({"a":{"a":{"a":1}},"b":{"a":1}})"), R"({"a":{"a":{"a":1}},"b":{"a":1}})");
  EXPECT_EQ(Compact(R"({"a":{"z":1},"b":[{"a":1},{"a":1}],"a":1})"), "<duplicate_key>");
  const auto error = ParseJson("{\n\"key\":1,\n\"key\":2}").error();
  EXPECT_EQ(error.message, "An object has the key \"key\" twice, seen at byte 18 (line 3).");
}

TEST(Json, ManyKeysTakeNearLinearTime) {
  std::string same = "{", different = "{";
  for (int i = 0; i < 100'000; ++i) {
    same += "\"k\":0,";
    different += "\"" + std::to_string(i) + "\":0,";
  }
  same.back() = different.back() = '}';
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(Compact(same, {10 << 20, 64}), "<duplicate_key>");
  EXPECT_EQ(Compact(different, {10 << 20, 64}), different);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
}

TEST(Json, ErrorsSayWhere) {
  const auto error = ParseJson("{\n  \"a\": 1,\n  b\n}").error();
  EXPECT_EQ(error.kind, Kind::kSyntax);
  EXPECT_EQ(error.line, 3U);
  EXPECT_EQ(error.offset, 14U);
  EXPECT_EQ(error.message, "The text is not JSON (RFC 8259) at byte 14 (line 3).");
  EXPECT_EQ(ParseJson("[1").error().message, "The JSON text ends before its value does, at byte 2 (line 1).");
  EXPECT_EQ(ParseJson("1 2").error().message, "There is more text after the JSON value, at byte 2 (line 1).");
  EXPECT_EQ(ParseJson("[[1]]", {10, 1}).error().message,
            "Arrays and objects are nested deeper than 1 levels at byte 1 (line 1).");
}

TEST(JsonValue, ReadsCheckedTrees) {
  const auto value = ParseBoundedValue(R"({"s":"x","n":-3,"d":1.5})", {});
  ASSERT_TRUE(value);
  const auto& object = value->as_object();
  ASSERT_NE(FindString(object, "s"), nullptr);
  EXPECT_EQ(*FindString(object, "s"), "x");
  EXPECT_EQ(FindString(object, "n"), nullptr);
  EXPECT_EQ(FindInt(object, "n"), -3);
  EXPECT_EQ(FindInt(object, "d"), std::nullopt);
  EXPECT_EQ(FindInt(object, "none"), std::nullopt);
  EXPECT_EQ(ParseBoundedValue(R"({"s":1,"s":2})", {}).error().kind, Kind::kDuplicateKey);
  EXPECT_EQ(ParseBoundedValue("[[1]]", {10, 1}).error().kind, Kind::kDepth);
  EXPECT_TRUE(ParseBoundedValue("1E400", {}));
}

}  // namespace
}  // namespace casemate
