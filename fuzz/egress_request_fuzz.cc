// link: egress_proxy egress_rules model base
// What a program sends to the egress proxy, and what servers answer: SOCKS messages and HTTP/1 messages, read
// in pieces as small as the first byte says. However they come in, what is read of them is the same.
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "egress/proxy/message.h"
#include "egress/proxy/socks.h"

namespace {

using namespace casemate::egress;  // NOLINT(google-build-using-namespace): one file, one purpose

class Pieces : public Stream {
 public:
  Pieces(std::string_view bytes, std::size_t piece) : left_(bytes), piece_(piece) {}
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

template <bool kRequest>
std::string ReadAll(std::string_view bytes, std::size_t piece) {
  Pieces stream(bytes, piece);
  std::string buffer;
  MessageReader<kRequest> reader(stream, buffer);
  if (reader.ReadHead(1, 1) != MessageReader<kRequest>::State::kRead) return "no message";
  std::string told = "head\n";
  for (const auto& field : reader.head()) {
    told += View(field.name_string());
    told += ':';
    told += View(field.value());
    if (View(field.value()).find_first_of("\r\n") != std::string_view::npos) __builtin_trap();
    told += IsHopByHop(View(field.name_string()), reader.head()) ? "hop\n" : "\n";
  }
  std::array<char, 256> room{};
  for (;;) {
    const ssize_t count = reader.ReadBody(room, 1);
    if (count <= 0) return told + (count == 0 ? "whole" : "broken");
    told.append(room.data(), static_cast<std::size_t>(count));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  const std::size_t piece = data[0] % 64 + 1;
  if (ReadAll<true>(text, piece) != ReadAll<true>(text, text.size() + 1)) __builtin_trap();
  if (ReadAll<false>(text, piece) != ReadAll<false>(text, text.size() + 1)) __builtin_trap();
  const std::span<const std::uint8_t> bytes(data, size);
  const auto greeting = ReadSocksGreeting(bytes);
  if (greeting.used > size) __builtin_trap();
  const auto request = ReadSocksRequest(bytes);
  if (request.used > size) __builtin_trap();
  for (const char c : request.text) {
    if (c <= ' ' || c > '~') __builtin_trap();
  }
  if (request.destination) {
    const auto again = ParseAuthority(request.destination->ToString(), 0);
    if (!again || again->ToString() != request.destination->ToString()) __builtin_trap();
  }
  return 0;
}
