#include "isolation/container/launch_secrets.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>

#include "base/clock.h"
#include "base/errno.h"

namespace casemate::container {
namespace {

using std::string_view_literals::operator""sv;

constexpr std::int64_t kPatienceMs = 5000;
constexpr std::size_t kFrameHeader = 5;

bool IsVariable(const ResolvedSecret& secret) { return secret.mode == SecretMode::kVariable; }

}  // namespace

std::vector<SecretFile> SecretFiles(std::span<const ResolvedSecret> secrets) {
  std::vector<SecretFile> files;
  for (const ResolvedSecret& secret : secrets) {
    if (secret.mode == SecretMode::kFile) files.push_back({secret.name, secret.value->Reveal()});
  }
  return files;
}

Expected<void> SendSecretVariables(int request_fd, std::span<const ResolvedSecret> secrets) {
  std::size_t size = 0;
  for (const ResolvedSecret& secret : secrets) {
    if (IsVariable(secret)) size += secret.name.size() + secret.value->size() + 2;
  }
  if (size == 0) return {};
  auto frame = SecretValue::WithRoom(kFrameHeader + size);
  if (!frame) return std::unexpected(frame.error());
  std::array<char, kFrameHeader> header{'s'};
  for (std::size_t i = 1; i < kFrameHeader; ++i) header[i] = static_cast<char>(size >> (8 * (i - 1)) & 0xFFU);
  bool fits = frame->Append({header.data(), header.size()});
  for (const ResolvedSecret& secret : secrets) {
    if (!IsVariable(secret)) continue;
    fits = fits && frame->Append(secret.name) && frame->Append("\0"sv) &&
           frame->Append(secret.value->Reveal()) && frame->Append("\0"sv);
  }
  if (!fits) return Fail(ErrorCode::kInternal, "the secrets do not fit into their frame");
  std::string_view left = frame->Reveal();
  const Deadline deadline = Deadline::After(kPatienceMs);
  while (!left.empty()) {
    const ssize_t count = write(request_fd, left.data(), left.size());
    if (count > 0) {
      left.remove_prefix(static_cast<std::size_t>(count));
      continue;
    }
    if (count < 0 && errno == EINTR) continue;
    pollfd ready{request_fd, POLLOUT, 0};
    if ((count < 0 && errno != EAGAIN) || poll(&ready, 1, static_cast<int>(deadline.RemainingMs())) <= 0) {
      return FailErrno(ErrorCode::kInternal, "the warm cell does not take its secrets; try again", "write");
    }
  }
  return {};
}

}  // namespace casemate::container
