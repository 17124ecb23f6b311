// link: isolation_docker isolation_wire base
// The two layers of a container's attached stream, the one of a guest's control port, and files of the host
// that are looked at as programs.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "isolation/docker/elf.h"
#include "isolation/wire/wire_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace casemate;          // NOLINT(google-build-using-namespace): all of it is under test
  using namespace casemate::docker;  // NOLINT(google-build-using-namespace): the same
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (const Layers layers : {Layers::kDocker, Layers::kBare}) {
    WireReader whole(layers);
    WireReader parts(layers);
    std::vector<WireFrame> at_once;
    std::vector<WireFrame> by_bytes;
    const bool good = whole.Feed(bytes, at_once);
    bool still_good = true;
    for (std::size_t i = 0; i < size && still_good; ++i)
      still_good = parts.Feed(bytes.substr(i, 1), by_bytes);
    if (good != still_good || at_once.size() != by_bytes.size()) std::abort();
  }
  (void)NeedsOfBytes(bytes);
  return 0;
}
