// link: model base
// Base64 that a program sent as a display: what is taken is exactly what the encoder writes, and any bytes
// survive the way there and back.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "model/base64.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto decoded = casemate::DecodeBase64(bytes);
  if (decoded && casemate::EncodeBase64(*decoded) != bytes) std::abort();
  const std::string text = casemate::EncodeBase64(bytes);
  if (text.size() != (size + 2) / 3 * 4) std::abort();
  if (casemate::DecodeBase64(text) != bytes) std::abort();
  return 0;
}
