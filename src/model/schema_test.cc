#include "model/schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "model/decimal.h"
#include "model/json.h"

namespace casemate {
namespace {

using testing::HasSubstr;

constexpr JsonLimits kAny{std::size_t{64} << 20, 1000};

std::string Repeat(std::string_view part, std::size_t times) {
  std::string text;
  for (std::size_t i = 0; i < times; ++i) text += part;
  return text;
}

// The violation's message, "" when there is none.
std::string Check(std::string_view schema, std::string_view value) {
  const auto json = ParseJson(value, kAny);
  EXPECT_TRUE(json) << value;
  const auto checked = CheckAgainstSchema(*json, schema);
  return checked ? "" : checked.error().message;
}

struct Case {
  const char* schema;
  std::vector<const char*> good;
  std::vector<const char*> bad;
};

void Expect(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    const auto valid = ValidateSchema(c.schema);
    EXPECT_TRUE(valid) << c.schema << ": " << valid.error().ToString();
    for (const char* value : c.good) EXPECT_EQ(Check(c.schema, value), "") << c.schema << " on " << value;
    for (const char* value : c.bad) EXPECT_NE(Check(c.schema, value), "") << c.schema << " on " << value;
  }
}

TEST(Schema, Types) {
  Expect({
      {"true", {"1", "null"}, {}},
      {"false", {}, {"1", "null"}},
      {"{}", {"1", "[]"}, {}},
      {R"({"type":"null"})", {"null"}, {"0", "false", "\"\""}},
      {R"({"type":"boolean"})", {"true", "false"}, {"0", "null"}},
      {R"({"type":"number"})", {"1", "1.5", "1E400", "-0"}, {"\"1\"", "true"}},
      {R"({"type":"integer"})",
       {"1", "1.0", "-0", "1e3", "100000000000000000000000000", "10e-1"},
       {"1.5", "1e-1", "\"1\"", "true"}},
      {R"({"type":["string","integer"]})", {"\"a\"", "3"}, {"3.5", "null"}},
      {R"({"type":"array"})", {"[]"}, {"{}"}},
      {R"({"type":"object"})", {"{}"}, {"[]"}},
  });
}

TEST(Schema, Numbers) {
  Expect({
      {R"({"minimum":2})",
       {"2", "2.0", "3", "1E400", "\"x\"", "100000000000000000000"},
       {"1.99", "-3", "-1E400"}},
      {R"({"maximum":-2.5})", {"-2.5", "-25e-1", "-3"}, {"-2.4", "0"}},
      {R"({"exclusiveMinimum":0})", {"1e-400", "1"}, {"0", "-0", "0.0", "-1"}},
      {R"({"exclusiveMaximum":9007199254740993})",
       {"9007199254740992"},
       {"9007199254740993", "9007199254740994"}},
      {R"({"multipleOf":0.01})", {"0", "19.99", "1", "1e300", "4.35"}, {"0.005", "19.999"}},
      {R"({"multipleOf":3})",
       {"9", "-9", "300000000000000000000000000000", "3e2147483647"},
       {"10", "0.3", "1e2147483647"}},
      {R"({"multipleOf":1e3})", {"1000", "2e5"}, {"100", "1500"}},
  });
}

TEST(Schema, StringsAndPatterns) {
  Expect({
      {R"({"minLength":2,"maxLength":3})",
       {"\"ab\"", "\"\u00e9\u00e9\u00e9\"", "\"\U0001F600\U0001F600\"", "1"},
       {"\"a\"", "\"abcd\"", "\"\U0001F600\""}},
      {R"({"maxLength":2.0})", {"\"ab\""}, {"\"abc\""}},
      {R"({"pattern":"^a+$"})", {"\"aaa\"", "7"}, {"\"\"", "\"ab\"", "\"aaa\\n\""}},
      {R"({"pattern":"b"})", {"\"abc\""}, {"\"ac\""}},
      {R"({"pattern":"^\\d{3}-\\w\\/\\u0041$"})", {"\"123-x/A\""}, {"\"123-x/B\""}},
      {R"({"format":"date"})", {"\"not a date\""}, {}},
  });
}

TEST(Schema, EnumAndConst) {
  Expect({
      {R"({"enum":[1,"a",null,{"x":[1.0],"y":2}]})",
       {"1", "1.0", "10e-1", "\"a\"", "null", R"({"y":2,"x":[1]})"},
       {"2", "\"1\"", "false", R"({"x":[1]})", R"({"y":2,"x":[1,1]})"}},
      {R"({"enum":[0]})", {"0", "-0", "0e5"}, {"false", "null"}},
      {R"({"const":100000000000000000001})", {"100000000000000000001"}, {"100000000000000000000"}},
      {R"({"const":"\u0041"})", {"\"A\""}, {"\"B\""}},
      {R"({"const":1,"enum":[1,2]})", {"1"}, {"2"}},
  });
}

TEST(Schema, Arrays) {
  Expect({
      {R"({"items":{"type":"integer"}})", {"[]", "[1,2]", "{}"}, {"[1,\"a\"]"}},
      {R"({"items":[{"type":"integer"},{"type":"string"}]})",
       {"[]", "[1]", "[1,\"a\",null]"},
       {"[\"a\"]", "[1,1]"}},
      {R"({"additionalItems":false,"items":[{}]})", {"[]", "[1]"}, {"[1,2]"}},
      {R"({"additionalItems":{"type":"null"},"items":[{}]})", {"[1,null]"}, {"[1,2]"}},
      {R"({"additionalItems":false,"items":[]})", {"[]"}, {"[1]"}},
      {R"({"additionalItems":false,"items":{}})", {"[1,2]"}, {}},
      {R"({"additionalItems":false})", {"[1,2]"}, {}},
      {R"({"minItems":1,"maxItems":2})", {"[1]", "[1,[2,3]]", "\"\""}, {"[]", "[1,2,3]"}},
      {R"({"uniqueItems":true})",
       {"[]", "[1,2]", "[1,\"1\",true,[1]]", R"([{"a":1},{"a":2}])"},
       {"[1,1.0]", R"([{"a":1,"b":2},{"b":2,"a":1}])", "[[],[]]"}},
      {R"({"uniqueItems":false})", {"[1,1]"}, {}},
      {R"({"contains":{"minimum":5}})", {"[1,5]", "{}"}, {"[]", "[1,2]"}},
      {R"({"items":false})", {"[]"}, {"[1]"}},
  });
}

TEST(Schema, Objects) {
  Expect({
      {R"({"properties":{"a":{"type":"integer"}},"required":["a"]})",
       {R"({"a":1,"b":"x"})", "[]"},
       {"{}", R"({"a":"x"})"}},
      {R"({"properties":{"a":{}},"additionalProperties":false})", {"{}", R"({"a":1})"}, {R"({"b":1})"}},
      {R"({"additionalProperties":{"type":"integer"}})", {R"({"b":1})"}, {R"({"b":"x"})"}},
      {R"({"patternProperties":{"^x":{"type":"integer"}},"additionalProperties":false})",
       {R"({"x1":1})"},
       {R"({"x1":"a"})", R"({"y":1})"}},
      {R"({"properties":{"xa":{"minimum":2}},"patternProperties":{"a$":{"maximum":3}}})",
       {R"({"xa":2})"},
       {R"({"xa":1})", R"({"xa":4})"}},
      {R"({"minProperties":1,"maxProperties":2})",
       {R"({"a":1})", R"({"a":{"x":1},"b":[1,2,3]})"},
       {"{}", R"({"a":1,"b":2,"c":3})"}},
      {R"({"propertyNames":{"maxLength":2}})", {R"({"ab":1})"}, {R"({"abc":1})"}},
      {R"({"dependencies":{"a":["b"],"c":{"required":["d"]}}})",
       {"{}", R"({"a":1,"b":2})", R"({"c":1,"d":1})"},
       {R"({"a":1})", R"({"c":1})"}},
      {R"({"properties":{"a\nb":{"type":"null"},"":{"type":"null"}}})",
       {R"({"a\nb":null,"":null})"},
       {R"({"a\nb":1})", R"({"":1})"}},
      {R"({"properties":{"$ref":{"type":"string"}}})", {R"({"$ref":"x"})"}, {R"({"$ref":1})"}},
  });
}

TEST(Schema, Combinations) {
  Expect({
      {R"({"allOf":[{"minimum":1},{"maximum":3}]})", {"2"}, {"0", "4"}},
      {R"({"anyOf":[{"type":"string"},{"minimum":3}]})", {"\"a\"", "3"}, {"2"}},
      {R"({"oneOf":[{"minimum":1},{"maximum":3}]})", {"0", "4"}, {"2"}},
      {R"({"not":{"type":"null"}})", {"1"}, {"null"}},
      {R"({"not":{"not":{"type":"null"}}})", {"null"}, {"1"}},
      {R"({"if":{"type":"integer"},"then":{"minimum":0},"else":{"type":"string"}})",
       {"1", "\"a\""},
       {"-1", "1.5"}},
      {R"({"if":{"type":"integer"},"then":{"minimum":0}})", {"\"a\"", "1"}, {"-1"}},
      {R"({"then":false,"else":false})", {"1"}, {}},
  });
}

TEST(Schema, References) {
  Expect({
      {R"({"properties":{"child":{"$ref":"#"}},"additionalProperties":false})",
       {R"({"child":{"child":{}}})"},
       {R"({"child":{"x":1}})"}},
      {R"({"definitions":{"n":{"type":"integer"}},"items":{"$ref":"#/definitions/n"}})",
       {"[1]"},
       {"[\"a\"]"}},
      {R"({"$defs":{"n":{"type":"integer"}},"items":{"$ref":"#/$defs/n"}})", {"[1]"}, {"[\"a\"]"}},
      {R"({"definitions":{"a/b~c%":{"type":"null"}},"$ref":"#/definitions/a~1b~0c%25"})", {"null"}, {"1"}},
      {R"({"items":[{"type":"null"},{"$ref":"#/items/0"}]})", {"[null,null]"}, {"[null,1]"}},
      {R"({"definitions":{"x":{"$id":"#here","type":"null"}},"$ref":"#here"})", {"null"}, {"1"}},
      {R"({"$id":"urn:x","definitions":{"x":{"type":"null"}},"allOf":[{"$ref":"urn:x#/definitions/x"}]})",
       {"null"},
       {"1"}},
      {R"({"definitions":{"a":{"$ref":"#/definitions/b"},"b":{"$ref":"#/definitions/c"},"c":{"type":"null"}},"$ref":"#/definitions/a"})",
       {"null"},
       {"1"}},
      {R"({"definitions":{"x":{"type":"null"}},"items":{"$ref":"#/definitions/x","minimum":3}})",
       {"[null]"},
       {"[3]"}},
  });
}

TEST(Schema, RefusedSchemasSayWhereAndWhy) {
  const std::pair<const char*, const char*> cases[] = {
      {"{", "The schema is not JSON; correct it. (The JSON text ends"},
      {"3", "The schema at \"#\" must be a schema"},
      {R"({"type":"strnig"})", "at \"#/type\" names the type \"strnig\"; known are null, boolean"},
      {R"({"type":3})", "at \"#/type\""},
      {R"({"properties":{"a/b":{"minLength":-1}}})",
       "at \"#/properties/a~1b/minLength\" must be a whole number"},
      {R"({"minLength":1.5})", "must be a whole number"},
      {R"({"minimum":"1"})", "must be a number"},
      {R"({"multipleOf":0})", "must be above 0"},
      {R"({"multipleOf":1.2345678901234567890123})", "18 digits"},
      {R"({"required":"a"})", "must be a list of strings"},
      {R"({"required":[1]})", "at \"#/required/0\" must be a string"},
      {R"({"allOf":[]})", "one schema or more"},
      {R"({"allOf":[3]})", "at \"#/allOf/0\" must be a schema"},
      {R"({"enum":1})", "must be a list of values"},
      {R"({"pattern":"("})", "RE2 does not take"},
      {R"j({"pattern":"(?=a)"})j", "leave out look-around"},
      {R"({"patternProperties":{"[":{}}})", "RE2 does not take"},
      {R"({"uniqueItems":1})", "true or false"},
      {R"({"properties":[]})", "must be an object of schemas"},
      {R"({"definitions":{"unused":{"type":"x"}}})", "at \"#/definitions/unused/type\""},
      {R"({"prefixItems":[{}]})", "later draft than draft-07; use items"},
      {R"({"$ref":3})", "must be a string"},
      {R"({"$ref":"#/definitions/none"})", "which is not there"},
      {R"({"$ref":"#none"})", "which is not there"},
      {R"({"$ref":"http://example.com/x.json"})", "nothing outside the schema is ever fetched"},
      {R"({"$ref":"file:///etc/passwd"})", "nothing outside the schema is ever fetched"},
      {R"({"items":{"$ref":"other.json#/x"}})", "at \"#/items/$ref\" refers to"},
      {R"({"$ref":"#"})", "without end"},
      {R"({"allOf":[{"$ref":"#"}]})", "without end"},
      {R"({"definitions":{"a":{"$ref":"#/definitions/b"},"b":{"not":{"$ref":"#/definitions/a"}}}})",
       "without end"},
      {R"({"dependencies":{"a":{"if":{"$ref":"#"}}}})", "without end"},
  };
  for (const auto& [schema, message] : cases) {
    const auto valid = ValidateSchema(schema);
    ASSERT_FALSE(valid) << schema;
    EXPECT_EQ(valid.error().code, ErrorCode::kInvalidRequest);
    EXPECT_THAT(valid.error().ToString(), HasSubstr(message));
    EXPECT_EQ(Check(schema, "1"), valid.error().ToString());
  }
  EXPECT_FALSE(ValidateSchema(Repeat("{\"not\":", 1'000'000)));
}

TEST(Schema, ViolationsSayWhere) {
  const auto json = ParseJson(R"({"rows":[{"a/b":1},{"a/b":"x"}]})");
  const auto checked = CheckAgainstSchema(
      *json, R"({"properties":{"rows":{"items":{"additionalProperties":{"type":"integer"}}}}})");
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().path, "/rows/1/a~1b");
  EXPECT_EQ(checked.error().message, "The value at \"/rows/1/a~1b\" must be of type integer, not string.");
  EXPECT_EQ(Check(R"({"minimum":0.5})", "-3"), "The value is -3, but must be at least 0.5.");
  EXPECT_EQ(Check(R"({"required":["id"]})", "{}"), "The value lacks the required property \"id\".");
  EXPECT_EQ(Check(R"({"anyOf":[{"type":"null"},{"type":"string"}]})", "1"),
            "The value meets none of the 2 schemas of \"anyOf\".");
  EXPECT_EQ(Check(R"({"items":{"anyOf":[{"type":"null"}]}})", "[1]"),
            "The value at \"/0\" must be of type null, not number.");
}

TEST(Schema, HostileValuesTakeBoundedTime) {
  const auto start = std::chrono::steady_clock::now();
  EXPECT_NE(Check(R"({"pattern":"^(a+)+$"})", "\"" + std::string(1 << 20, 'a') + "b\""), "");
  EXPECT_NE(Check(R"({"patternProperties":{"^(a|aa)+$":{}},"additionalProperties":false})",
                  "{\"" + std::string(1 << 20, 'a') + "b\":1}"),
            "");
  std::string numbers = "[0";
  for (int i = 1; i < 200'000; ++i) numbers += "," + std::to_string(i);
  EXPECT_EQ(Check(R"({"uniqueItems":true})", numbers + "]"), "");
  EXPECT_NE(Check(R"({"uniqueItems":true})", numbers + ",7]"), "");
  EXPECT_EQ(Check(R"({"items":{"enum":[]}})", numbers + "]"),
            "The value at \"/0\" is not one of the allowed values.");
  const std::string digits = Repeat("123456789", 100'000);
  EXPECT_EQ(Check(R"({"multipleOf":3,"minimum":0})", digits), "");
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30));
}

TEST(Schema, ExplodingSchemasGiveUp) {
  // Each definition applies the next twice: 2^40 checks of one value.
  std::string schema = R"({"$ref":"#/definitions/0","definitions":{)";
  for (int i = 0; i < 40; ++i) {
    const std::string next = "{\"$ref\":\"#/definitions/" + std::to_string(i + 1) + "\"}";
    schema += "\"" + std::to_string(i) + "\":{\"allOf\":[" + next + "," + next + "]},";
  }
  schema += "\"40\":{}}}";
  EXPECT_TRUE(ValidateSchema(schema));
  EXPECT_THAT(Check(schema, "1"), HasSubstr("too much work"));
  // Giving up inside "not" must not turn into a pass.
  const std::string negated =
      R"({"not":{"$ref":"#/definitions/0"},)" + schema.substr(schema.find("\"definitions\""));
  EXPECT_TRUE(ValidateSchema(negated));
  EXPECT_THAT(Check(negated, "1"), HasSubstr("too much work"));
}

TEST(Schema, DeepValuesAndLongChainsGiveUpCleanly) {
  const std::string recursive = R"({"type":"array","items":{"$ref":"#"}})";
  EXPECT_EQ(Check(recursive, Repeat("[", 900) + Repeat("]", 900)), "");
  EXPECT_THAT(Check(recursive, Repeat("[", 900) + "1" + Repeat("]", 900)),
              HasSubstr("must be of type array"));
  std::string chain = R"({"$ref":"#/definitions/0","definitions":{)";
  for (int i = 0; i < 5000; ++i) {
    chain += "\"" + std::to_string(i) + "\":{\"$ref\":\"#/definitions/" + std::to_string(i + 1) + "\"},";
  }
  EXPECT_THAT(Check(chain + "\"5000\":{}}}", "1"), HasSubstr("nested too deeply"));
}

TEST(Decimal, ExactInAllSizes) {
  const auto d = [](std::string_view text) { return Decimal::FromJson(text); };
  EXPECT_EQ(d("1.0"), d("1"));
  EXPECT_EQ(d("-0"), d("0e7"));
  EXPECT_EQ(d("12.30e1"), d("123"));
  EXPECT_LT(d("-1E400"), d("-1"));
  EXPECT_LT(d("0.1"), d("0.10000000000000000000000000001"));
  EXPECT_LT(d("99"), d("1e2"));
  EXPECT_GT(d("-99"), d("-1e2"));
  EXPECT_LT(d("-1"), d("0"));
  EXPECT_EQ(d("0.05").ToText(), "0.05");
  EXPECT_EQ(d("12.5").ToText(), "12.5");
  EXPECT_EQ(d("-1200").ToText(), "-1200");
  EXPECT_EQ(d("1E400").ToText(), "1e400");
  EXPECT_EQ(d("1e3").ToSize(), 1000U);
  EXPECT_EQ(d("1e30").ToSize(), std::uint64_t{1} << 62);
  EXPECT_EQ(d("-1").ToSize(), std::nullopt);
  EXPECT_EQ(d("1.5").ToSize(), std::nullopt);
}

}  // namespace
}  // namespace casemate
