#include "egress/proxy/message.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>

namespace casemate::egress {
namespace {

// Gives `text` in pieces of `piece` bytes.
class Pieces : public Stream {
 public:
  Pieces(std::string_view text, std::size_t piece) : left_(text), piece_(piece) {}
  ssize_t Read(std::span<char> into, std::int64_t /*wait_ms*/) override {
    const std::size_t size = std::min({into.size(), piece_, left_.size()});
    std::ranges::copy(left_.substr(0, size), into.begin());
    left_.remove_prefix(size);
    return static_cast<ssize_t>(size);
  }
  bool Write(std::string_view /*bytes*/, std::int64_t /*wait_ms*/) override { return true; }
  int fd() const override { return -1; }

 private:
  std::string_view left_;
  std::size_t piece_;
};

std::string BodyInPieces(std::string_view message, std::size_t piece) {
  Pieces stream(message, piece);
  std::string buffer;
  ResponseReader reader(stream, buffer);
  if (reader.ReadHead(1, 1) != ResponseReader::State::kRead) return "no head";
  std::string body;
  std::array<char, 3> room{};
  for (;;) {
    const ssize_t count = reader.ReadBody(room, 1);
    if (count < 0) return "broken";
    if (count == 0) return body;
    body.append(room.data(), static_cast<std::size_t>(count));
  }
}

TEST(MessageTest, TakesAChunkedBodyHoweverItIsCut) {
  const std::string head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const auto& [body, expected] :
       {std::pair("0\r\n\r\n", ""), std::pair("0\r\nTrailer: x\r\n\r\n", ""),
        std::pair("1\r\nx\r\n0\r\n\r\n", "x"), std::pair("6\r\nabcdef\r\n0\r\n\r\n", "abcdef"),
        std::pair("0\r", "broken")}) {
    for (std::size_t piece = 1; piece < 100; ++piece)
      EXPECT_EQ(BodyInPieces(head + body, piece), expected) << body << " by " << piece;
  }
}

}  // namespace
}  // namespace casemate::egress
