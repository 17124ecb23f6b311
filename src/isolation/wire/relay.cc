// Theory of operation: the inner end writes its frames with calls that block, and reads between them. So this
// end always reads, but from one that does not read itself: its replies to that are bounded.
//
//   outgoing_ below kBehind   the proxy's sockets are read
//   outgoing_ below kStuck    frames are read; each brings a reply of a few bytes at the most
//
// An inner end that reads between its turns is never so far behind: one turn of it says less than kStuck -
// kBehind in replies. One that the program has stopped (SIGSTOP) costs the engine kStuck and no more.
#include "isolation/wire/relay.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <utility>

namespace casemate {
namespace {

constexpr std::size_t kBehind = std::size_t{1} << 20;
constexpr std::size_t kStuck = kBehind + (std::size_t{1} << 20);

bool IsTransient(int err) { return err == EAGAIN || err == EINTR; }

}  // namespace

Relay::Relay(UniqueFd in, UniqueFd out, UniqueFd handover, const NetworkLimits& limits)
    : in_(std::move(in)), out_(std::move(out)), finish_event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  connections_.emplace(std::move(handover), limits, [this](Wire kind, std::string_view payload) {
    outgoing_ += EncodeWire(kind, payload);
  });
  thread_ = std::thread([this] { Run(); });
}

void Relay::Finish() {
  if (!thread_.joinable()) return;
  finishing_ = true;
  const std::uint64_t one = 1;
  (void)!write(finish_event_.get(), &one, sizeof(one));
  thread_.join();
}

void Relay::Run() {
  // Signals are for the threads that wait for them; a pipe without a reader is an error of write(2).
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  while (!over_ && !finishing_) Turn();
  while (!over_ && ReadOnce()) {
  }
  // The proxy sees their ends, and the sandbox that of the wire.
  connections_.reset();
  in_.reset();
  out_.reset();
}

void Relay::Turn() {
  constexpr std::size_t kOwn = 3;
  std::vector<pollfd> entries(kOwn);
  entries[0] = {outgoing_.size() < kStuck ? in_.get() : -1, POLLIN, 0};
  entries[1] = {finish_event_.get(), POLLIN, 0};
  entries[2] = {outgoing_.empty() ? -1 : out_.get(), POLLOUT, 0};
  const bool serves = outgoing_.size() < kBehind;
  if (serves) connections_->Watch(entries);
  if (poll(entries.data(), entries.size(), -1) < 0) {
    over_ = errno != EINTR;
    return;
  }
  if (entries[0].revents != 0) (void)ReadOnce();
  if (serves && !over_) connections_->Serve(entries.data() + kOwn);
  if (!over_ && !outgoing_.empty()) WriteOut();
}

bool Relay::ReadOnce() {
  std::array<char, kWirePayloadMax> bytes;  // NOLINT(cppcoreguidelines-pro-type-member-init): read into
  const ssize_t count = read(in_.get(), bytes.data(), bytes.size());
  if (count < 0 && errno == EINTR) return true;
  if (count < 0 && errno == EAGAIN) return false;
  std::vector<WireFrame> frames;
  over_ = count <= 0 || !reader_.Feed({bytes.data(), static_cast<std::size_t>(count)}, frames);
  for (const WireFrame& frame : frames) {
    if (!Connections::IsOf(frame.kind) || !connections_->Hear(frame)) {
      over_ = true;
      break;
    }
  }
  return !over_;
}

void Relay::WriteOut() {
  const ssize_t count = write(out_.get(), outgoing_.data(), outgoing_.size());
  if (count >= 0) outgoing_.erase(0, static_cast<std::size_t>(count));
  if (count < 0 && !IsTransient(errno)) over_ = true;
}

}  // namespace casemate
