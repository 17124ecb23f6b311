#include <algorithm>
#include <cstring>
#include <utility>

#include "base/secret_pages.h"
#include "casemate/secret.h"

namespace casemate {
namespace {

constexpr std::size_t kShown = 4;  // bytes at each end of a masked value
constexpr std::size_t kShortest = 2 * kShown;

bool IsPrintable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
}

}  // namespace

Expected<SecretValue> SecretValue::WithRoom(std::size_t capacity) {
  const std::size_t mapped = (capacity + 1 + kSecretPage - 1) / kSecretPage * kSecretPage;
  auto pages = TakeSecretPages(mapped);
  if (!pages) return std::unexpected(pages.error());
  return SecretValue(*pages, mapped, capacity);
}

Expected<SecretValue> SecretValue::Copy(std::string_view bytes) {
  auto value = WithRoom(bytes.size());
  if (value) (void)value->Append(bytes);
  return value;
}

SecretValue::SecretValue(SecretValue&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      mapped_(std::exchange(other.mapped_, 0)),
      capacity_(std::exchange(other.capacity_, 0)),
      size_(std::exchange(other.size_, 0)) {}

SecretValue& SecretValue::operator=(SecretValue&& other) noexcept {
  if (this == &other) return *this;
  Release();
  data_ = std::exchange(other.data_, nullptr);
  mapped_ = std::exchange(other.mapped_, 0);
  capacity_ = std::exchange(other.capacity_, 0);
  size_ = std::exchange(other.size_, 0);
  return *this;
}

SecretValue::~SecretValue() { Release(); }

void SecretValue::Release() noexcept {
  if (data_ == nullptr) return;
  GiveBackSecretPages(data_, mapped_);
  data_ = nullptr;
}

std::string SecretValue::Masked() const {
  const std::string_view text = Reveal();
  if (text.size() <= kShortest) return "****";
  const std::string_view first = text.substr(0, kShown);
  const std::string_view last = text.substr(text.size() - kShown);
  if (!IsPrintable(first) || !IsPrintable(last)) return "****";
  return std::string(first) + "****" + std::string(last);
}

bool SecretValue::Append(std::string_view bytes) {
  if (bytes.size() > capacity_ - size_) return false;
  std::copy(bytes.begin(), bytes.end(), data_ + size_);
  size_ += bytes.size();
  return true;
}

void SecretValue::Resize(std::size_t size) {
  size = std::min(size, capacity_);
  // Behind the end all is zero: the mapping began so, and what was there is wiped here.
  explicit_bzero(data_ + size, capacity_ + 1 - size);
  size_ = size;
}

std::string_view SecretModeName(SecretMode mode) {
  switch (mode) {
    case SecretMode::kVariable:
      return "env";
    case SecretMode::kFile:
      return "file";
    case SecretMode::kBrokered:
      return "brokered";
  }
  return "";
}

std::optional<SecretMode> ParseSecretMode(std::string_view name) {
  for (const SecretMode mode : {SecretMode::kVariable, SecretMode::kFile, SecretMode::kBrokered}) {
    if (SecretModeName(mode) == name) return mode;
  }
  return std::nullopt;
}

}  // namespace casemate
