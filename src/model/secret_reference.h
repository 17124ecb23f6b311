#pragma once

#include <string>
#include <string_view>

#include "casemate/error.h"

namespace casemate {

// "SCHEME:PLACE": what a reference to a secret looks like, whatever the provider. Views into its text.
struct SecretReference {
  std::string_view scheme;
  std::string_view place;
};
// kInvalidRequest for what has no scheme or no place; the text is not repeated, for it may be a secret that
// was given in the place of a reference.
Expected<SecretReference> ParseSecretReference(std::string_view text);

// A reference that means the same in another process: a relative path of file: and dotenv: is made absolute
// with `working_dir`, and ~ with `home`. Others come back as they are.
std::string AbsoluteReference(std::string_view text, std::string_view working_dir, std::string_view home);

// Whether it is answered by the process that asks: its environment, or a command that it starts.
bool BelongsToProcess(std::string_view reference);

}  // namespace casemate
