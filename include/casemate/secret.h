#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "casemate/error.h"

namespace casemate {

// The largest secret; AWS Secrets Manager's own limit.
inline constexpr std::size_t kSecretBytesMax = 64 * std::size_t{1024};

// A secret in pages of its own: locked (mlock(2), so never swapped), left out of core dumps (madvise(2),
// MADV_DONTDUMP) and zeroed when it ends. Movable, not copyable, and printed masked. Not thread-safe while it
// is filled. A child that is forked sees it until it executes something else.
class SecretValue {
 public:
  // Empty, with room for `capacity` bytes. kUnavailable when the host does not let so much memory be locked.
  static Expected<SecretValue> WithRoom(std::size_t capacity);
  static Expected<SecretValue> Copy(std::string_view bytes);

  SecretValue(SecretValue&& other) noexcept;
  SecretValue& operator=(SecretValue&& other) noexcept;
  ~SecretValue();
  SecretValue(const SecretValue&) = delete;
  SecretValue& operator=(const SecretValue&) = delete;

  // The bytes themselves, with a NUL behind them. Valid as long as this; never to be printed.
  std::string_view Reveal() const { return {data_, size_}; }
  // "sk-a****wxyz"; "****" for what is short or no printable ASCII.
  std::string Masked() const;

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  // To fill it. Append() is false, with nothing done, when there is no room.
  [[nodiscard]] bool Append(std::string_view bytes);
  char* data() { return data_; }
  std::size_t capacity() const { return capacity_; }
  // What was filled through data(), or less than there is; what is cut off is zeroed.
  void Resize(std::size_t size);

 private:
  SecretValue(char* data, std::size_t mapped, std::size_t capacity)
      : data_(data), mapped_(mapped), capacity_(capacity) {}
  void Release() noexcept;

  char* data_ = nullptr;
  std::size_t mapped_ = 0;
  std::size_t capacity_ = 0;
  std::size_t size_ = 0;
};

// Any stream prints it masked.
template <typename Stream>
Stream& operator<<(Stream& stream, const SecretValue& value) {
  stream << value.Masked();
  return stream;
}

// How a program sees a secret.
enum class SecretMode {
  kVariable,  // an environment variable NAME of this run alone
  kFile,      // a file /run/secrets/NAME, mode 0400, in memory
  kBrokered,  // a placeholder; a proxy puts the value into requests to the hosts that are named
};
std::string_view SecretModeName(SecretMode mode);  // "env", "file", "brokered"
std::optional<SecretMode> ParseSecretMode(std::string_view name);

// A secret that a run is to have: where its value is, never the value.
struct SecretRequest {
  std::string name;                     // of the variable or the file
  std::vector<std::string> references;  // "env:NAME", "file:PATH", ...; the first that has the value wins
  std::optional<SecretMode> mode;       // unset: brokered when hosts are named, otherwise a variable
  std::vector<std::string> hosts;       // where a brokered one may go
  SecretMode EffectiveMode() const {
    return mode.value_or(hosts.empty() ? SecretMode::kVariable : SecretMode::kBrokered);
  }
  friend bool operator==(const SecretRequest&, const SecretRequest&) = default;
};

// A secret with its value, which other runs may share.
struct ResolvedSecret {
  std::string name;
  SecretMode mode = SecretMode::kVariable;
  std::shared_ptr<const SecretValue> value;
  std::string reference;  // the one that had it
};

}  // namespace casemate
