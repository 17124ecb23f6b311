#include "model/json_writer.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <string_view>

#include "model/base64.h"
#include "model/json.h"

namespace casemate {
namespace {

TEST(JsonWriter, PlacesCommasAndEscapes) {
  JsonWriter writer;
  writer.BeginObject();
  writer.Field("s", "a\"\\\n\x01\xff");
  writer.Field("i", std::numeric_limits<std::int64_t>::min());
  writer.Field("b", true);
  writer.Field("d", 0.1);
  writer.Field("none", std::optional<int>());
  writer.Field("some", std::optional<int>(3));
  writer.Key("list");
  writer.BeginArray();
  writer.BeginArray();
  writer.EndArray();
  writer.BeginObject();
  writer.EndObject();
  writer.Double(std::nan(""));
  writer.Double(std::numeric_limits<double>::infinity());
  writer.Bool(false);
  writer.Raw(*ParseJson(" {\"x\" : 1E400}"));
  writer.EndArray();
  writer.Field("last", "");
  writer.EndObject();
  EXPECT_EQ(
      writer.text(),
      "{\"s\":\"a\\\"\\\\\\n\\u0001\uFFFD\",\"i\":-9223372036854775808,\"b\":true,\"d\":0.1,\"none\":null,"
      "\"some\":3,\"list\":[[],{},null,null,false,{\"x\":1E400}],\"last\":\"\"}");
  EXPECT_EQ(ParseJson(writer.text())->text(), writer.text());
}

// Texts are looked at eight bytes at a time: each byte at each place of texts of each length.
TEST(JsonWriter, EscapesEachByteWhereverItStands) {
  const auto expected = [](const std::string& before, int byte, const std::string& after) {
    std::string text = before;
    if (byte == '"' || byte == '\\') {
      text += {'\\', static_cast<char>(byte)};
    } else if (byte >= 0x80) {
      text += "\uFFFD";
    } else if (byte >= 0x20) {
      text += static_cast<char>(byte);
    } else {
      constexpr std::string_view kNamed = "\b\t\n\f\r", kNames = "btnfr";
      const auto at = kNamed.find(static_cast<char>(byte));
      text += at == kNamed.npos ? fmt::format("\\u{:04x}", byte) : fmt::format("\\{}", kNames[at]);
    }
    return "[7,\"" + text + after + "\"]";
  };
  for (std::size_t length = 1; length <= 20; ++length) {
    for (std::size_t at = 0; at < length; ++at) {
      const std::string before(at, 'a'), after(length - at - 1, 'z');
      for (int byte = 0; byte < 256; ++byte) {
        JsonWriter writer;
        writer.BeginArray();
        writer.Int(7);
        writer.String(before + static_cast<char>(byte) + after);
        writer.EndArray();
        ASSERT_EQ(writer.text(), expected(before, byte, after)) << byte << " at " << at << " of " << length;
      }
    }
  }
}

TEST(Base64, KnownVectors) {
  const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"}};
  for (const auto& [bytes, text] : vectors) {
    EXPECT_EQ(EncodeBase64(bytes), text);
    EXPECT_EQ(DecodeBase64(text), bytes);
  }
}

TEST(Base64, AllBytesBothWays) {
  std::string bytes;
  for (int i = 0; i < 1000; ++i) {
    bytes += static_cast<char>(i * 7);
    EXPECT_EQ(DecodeBase64(EncodeBase64(bytes)), bytes);
  }
}

TEST(Base64, RefusesWhatItWouldNotWrite) {
  for (const char* text : {"Z", "Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Zm9v ", "Zm9v\n", "Zm=v",
                           "====", "Z===", "Zm-_", "=", "=Zg="}) {
    EXPECT_EQ(DecodeBase64(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace casemate
