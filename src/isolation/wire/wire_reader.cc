#include "isolation/wire/wire_reader.h"

#include <algorithm>

namespace casemate {
namespace {

constexpr std::size_t kDockerHeader = 8;
constexpr std::size_t kComplaintBytes = 1024;
constexpr std::string_view kFromAttendant = "RSFOEVIQUATWZPXNMBC";

std::size_t BigEndian(std::string_view bytes) {
  std::size_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<unsigned char>(byte);
  return value;
}

std::size_t LittleEndian(std::string_view bytes) {
  std::size_t value = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i)
    value |= static_cast<std::size_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
  return value;
}

}  // namespace

std::string EncodeWire(Wire kind, std::string_view payload) {
  std::string frames;
  do {
    const std::string_view piece = payload.substr(0, kWirePayloadMax);
    payload.remove_prefix(piece.size());
    frames += static_cast<char>(kind);
    for (unsigned shift = 0; shift < 32; shift += 8)
      frames += static_cast<char>(piece.size() >> shift & 0xff);
    frames += piece;
  } while (!payload.empty());
  return frames;
}

bool WireReader::TakeFrames(std::vector<WireFrame>& frames) {
  std::size_t begin = 0;
  while (wire_.size() - begin >= kWireHeader) {
    const std::size_t size = LittleEndian(std::string_view(wire_).substr(begin + 1, 4));
    if (size > kWirePayloadMax || kFromAttendant.find(wire_[begin]) == std::string_view::npos) return false;
    if (wire_.size() - begin - kWireHeader < size) break;
    frames.push_back({static_cast<Wire>(wire_[begin]), wire_.substr(begin + kWireHeader, size)});
    begin += kWireHeader + size;
  }
  wire_.erase(0, begin);
  return true;
}

bool WireReader::Feed(std::string_view bytes, std::vector<WireFrame>& frames) {
  if (layers_ == Layers::kBare && !broken_) {
    wire_ += bytes;
    broken_ = !TakeFrames(frames);
    return !broken_;
  }
  while (!bytes.empty() && !broken_) {
    if (left_ == 0) {
      const std::size_t more = std::min(kDockerHeader - header_.size(), bytes.size());
      header_ += bytes.substr(0, more);
      bytes.remove_prefix(more);
      if (header_.size() < kDockerHeader) break;
      broken_ = (header_[0] != 1 && header_[0] != 2) || header_[1] != 0 || header_[2] != 0 || header_[3] != 0;
      in_stderr_ = header_[0] == 2;
      left_ = BigEndian(std::string_view(header_).substr(4));
      header_.clear();
      continue;
    }
    const std::string_view piece = bytes.substr(0, std::min(left_, bytes.size()));
    bytes.remove_prefix(piece.size());
    left_ -= piece.size();
    if (in_stderr_) {
      complaint_ += piece.substr(0, kComplaintBytes - std::min(kComplaintBytes, complaint_.size()));
    } else {
      wire_ += piece;
      broken_ = !TakeFrames(frames);
    }
  }
  return !broken_;
}

}  // namespace casemate
