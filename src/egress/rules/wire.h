#pragma once

#include <string>
#include <string_view>

#include "casemate/error.h"
#include "casemate/network.h"

namespace casemate::egress {

// Between the engine and a run's proxy, on one machine, of one build: packets on a SOCK_SEQPACKET socket. The
// first byte says what a packet is, its text follows.
enum class Packet : char {
  // To the proxy, in this order.
  kPolicy = 'P',  // and how many kSecret follow, in one byte; descriptor attached: EncodeNetwork()'s text
  kSecret = 'S',  // placeholder, name, "HOST:PORT/HEADER,...", value; a NUL behind each of the first three
  kListen = 'L',  // descriptor attached: where clients come (Server::Serve)
  kFinish = 'F',  // tell what is left, and end
  // From it.
  kReady = 'C',     // before kListen: the certificate of its authority (PEM); nothing when it has none
  kAttempt = 'A',   // EncodeAttempt()'s text
  kFinished = 'E',  // nothing follows
};

// The proxy finds its socket there.
inline constexpr int kEgressControlFd = 3;
inline constexpr std::size_t kPacketBytesMax = 8 * std::size_t{1024};

std::string EncodeNetwork(const NetworkPolicy& network);
Expected<NetworkPolicy> DecodeNetwork(std::string_view text);

// An attempt and, of one that was refused, what to change.
struct ToldAttempt {
  NetworkAttempt attempt;
  std::string remedy;
};
std::string EncodeAttempt(const ToldAttempt& told);
// The proxy reads hostile bytes, so what it says is read as such.
Expected<ToldAttempt> DecodeAttempt(std::string_view text);

}  // namespace casemate::egress
