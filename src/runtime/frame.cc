#include "runtime/frame.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace casemate {

std::string EncodeFrame(FrameType type, std::string_view payload) {
  std::string frame;
  frame.reserve(5 + payload.size());
  frame += static_cast<char>(type);
  for (unsigned shift = 0; shift < 32; shift += 8) {
    frame += static_cast<char>((payload.size() >> shift) & 0xFF);
  }
  return frame.append(payload);
}

FrameReader::FrameReader(std::span<const FrameLimit> limits, std::size_t total_bytes_max)
    : limits_(limits.begin(), limits.end()), total_left_(total_bytes_max) {}

std::optional<FrameError> FrameReader::Feed(std::string_view bytes, std::vector<Frame>& frames) {
  while (!error_ && !bytes.empty()) {
    if (!in_payload_) {
      const std::size_t taken = std::min(kHeaderBytes - header_.size(), bytes.size());
      header_.append(bytes.substr(0, taken));
      bytes.remove_prefix(taken);
      if (header_.size() < kHeaderBytes) break;
      error_ = ReadHeader();
      if (error_) break;
    }
    // The declared length reserves nothing: memory grows with what really arrives.
    const std::size_t taken = std::min(payload_left_, bytes.size());
    current_.payload.append(bytes.substr(0, taken));
    bytes.remove_prefix(taken);
    payload_left_ -= taken;
    if (payload_left_ == 0) {
      frames.push_back(std::exchange(current_, Frame{FrameType::kEnd, {}}));
      in_payload_ = false;
    }
  }
  return error_;
}

std::optional<FrameError> FrameReader::ReadHeader() {
  const auto byte = [this](std::size_t i) {
    return static_cast<std::size_t>(static_cast<unsigned char>(header_[i]));
  };
  const auto type = static_cast<FrameType>(header_[0]);
  const std::size_t size = byte(1) | byte(2) << 8 | byte(3) << 16 | byte(4) << 24;
  const auto limit = std::ranges::find(limits_, type, &FrameLimit::type);
  if (limit == limits_.end()) {
    return FrameError{FrameError::Kind::kUnknownType,
                      fmt::format("The result channel carries a frame of unknown type 0x{:02x}.", byte(0))};
  }
  if (size > limit->payload_bytes_max) {
    return FrameError{
        FrameError::Kind::kTooLarge,
        fmt::format("A frame '{}' of {} bytes came through the result channel; at most {} are taken.",
                    header_[0], size, limit->payload_bytes_max)};
  }
  if (size + kHeaderBytes > total_left_) {
    return FrameError{FrameError::Kind::kTooMuch,
                      "More came through the result channel than all limits allow."};
  }
  total_left_ -= size + kHeaderBytes;
  header_.clear();
  current_ = Frame{type, {}};
  payload_left_ = size;
  in_payload_ = true;
  return std::nullopt;
}

std::optional<FrameError> FrameReader::Finish() {
  if (!error_ && (in_payload_ || !header_.empty())) {
    error_ = FrameError{FrameError::Kind::kCutShort, "The result channel ended inside a frame."};
  }
  return error_;
}

}  // namespace casemate
