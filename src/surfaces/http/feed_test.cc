#include "surfaces/http/feed.h"

#include <gtest/gtest.h>

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <string>
#include <string_view>

namespace casemate::http {
namespace {

namespace beast = boost::beast::http;

void Put(ReadBuffer& buffer, std::string_view bytes) {
  std::ranges::copy(bytes, buffer.Room().begin());
  buffer.Filled(bytes.size());
}

// The body, however the message came in.
std::string BodyInPieces(std::string_view message, std::size_t piece) {
  beast::request_parser<beast::string_body> parser;
  parser.eager(true);
  ReadBuffer buffer;
  while (!message.empty()) {
    Put(buffer, message.substr(0, piece));
    message.remove_prefix(std::min(piece, message.size()));
    if (const auto error = Feed(parser, buffer)) return error.message();
  }
  return parser.is_done() && buffer.empty() ? parser.get().body() : "not done";
}

TEST(FeedTest, TakesAChunkedBodyHoweverItIsCut) {
  const std::string head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const auto& [body, expected] :
       {std::pair("0\r\n\r\n", ""), std::pair("000;a=b\r\n\r\n", ""),
        std::pair("0\r\nTrailer: x\r\n\r\n", ""), std::pair("1\r\nx\r\n0\r\n\r\n", "x"),
        std::pair("2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n", "abcde")}) {
    for (std::size_t piece = 1; piece < 100; ++piece)
      EXPECT_EQ(BodyInPieces(head + body, piece), expected) << body << " by " << piece;
  }
}

TEST(FeedTest, HoldsNothingBackOfAChunk) {
  beast::request_parser<beast::string_body> parser;
  parser.eager(true);
  ReadBuffer buffer;
  Put(buffer, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\na");
  EXPECT_FALSE(Feed(parser, buffer));
  Put(buffer, "b");
  EXPECT_FALSE(Feed(parser, buffer));
  EXPECT_EQ(parser.get().body(), "ab");
  for (const std::string_view piece : {"cd\r\n1", "\r\n", "e"}) {
    Put(buffer, piece);
    EXPECT_FALSE(Feed(parser, buffer));
  }
  EXPECT_EQ(parser.get().body(), "abcde");
}

}  // namespace
}  // namespace casemate::http
