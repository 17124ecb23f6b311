#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace casemate::egress {

// The first message of a TLS client (RFC 8446, 4.1.2; RFC 6066, 3), as hostile as it comes.
struct ClientHello {
  enum class State {
    kMore,     // the beginning of one; more bytes are needed
    kWhole,    // read; the fields below are set
    kNotTls,   // something else, from the first bytes on
    kInvalid,  // TLS, but no ClientHello that a server could read
  };
  State state = State::kMore;
  std::string server_name;  // as sent; empty when there is none
  bool has_name = false;
  bool hides_name =
      false;  // encrypted_client_hello or its forerunner: the name that is seen may not be the one
};

// Room for a hello with post-quantum key shares, tickets and padding; a longer one is kInvalid.
inline constexpr std::size_t kClientHelloBytesMax = 32 * std::size_t{1024};

// `bytes` from the start of the connection. Time and memory are linear in their number.
ClientHello ReadClientHello(std::span<const std::uint8_t> bytes);

}  // namespace casemate::egress
