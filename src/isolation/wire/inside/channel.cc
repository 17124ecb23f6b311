#include "isolation/wire/inside/channel.h"

#include <unistd.h>

#include <array>
#include <cerrno>

namespace casemate {
namespace {

constexpr int kEngineGone = 125;

void WriteOut(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = write(STDOUT_FILENO, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) _exit(kEngineGone);
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

}  // namespace

void WireChannel::Send(Wire kind, std::string_view payload) {
  do {
    const std::string_view piece = payload.substr(0, kWirePayloadMax);
    payload.remove_prefix(piece.size());
    std::string frame(1, static_cast<char>(kind));
    for (unsigned shift = 0; shift < 32; shift += 8) frame += static_cast<char>(piece.size() >> shift & 0xff);
    frame += piece;
    WriteOut(frame);
  } while (!payload.empty());
}

void WireChannel::Fail(int err, std::string_view what) {
  Send(Wire::kFailed, std::to_string(err) + " " + std::string(what));
  _exit(kEngineGone);
}

void WireChannel::Fill() {
  std::array<char, kWirePayloadMax> bytes;  // NOLINT(cppcoreguidelines-pro-type-member-init): read into
  const ssize_t count = read(STDIN_FILENO, bytes.data(), bytes.size());
  if (count < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (count <= 0) _exit(kEngineGone);
  buffer_.erase(0, begin_);
  begin_ = 0;
  buffer_.append(bytes.data(), static_cast<std::size_t>(count));
}

bool WireChannel::Next(Frame& frame) {
  if (buffer_.size() - begin_ < kWireHeader) return false;
  std::size_t size = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    size |= static_cast<std::size_t>(static_cast<unsigned char>(buffer_[begin_ + 1 + i])) << (8 * i);
  }
  if (size > kWirePayloadMax) Fail(EPROTO, "read the engine's words");
  if (buffer_.size() - begin_ < kWireHeader + size) return false;
  frame.kind = static_cast<Wire>(buffer_[begin_]);
  frame.payload.assign(buffer_, begin_ + kWireHeader, size);
  begin_ += kWireHeader + size;
  return true;
}

}  // namespace casemate
