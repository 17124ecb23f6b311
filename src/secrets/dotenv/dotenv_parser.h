#pragma once

#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "casemate/error.h"
#include "casemate/secret.h"

namespace casemate::secrets {

// The .env format as its common readers (python-dotenv, Docker Compose, dotenv) agree on it:
//
//   NAME=value          to the end of the line or to white space and '#'; white space around it is dropped
//   export NAME=value   the same
//   NAME="value"        over several lines if it likes; \n \r \t \f \v \a \b \\ \" \' \$ \` are escapes,
//   another
//                       backslash stands for itself
//   NAME='value'        over several lines; \\ and \' are escapes, all else stands for itself
//   NAME=`value`        over several lines; no escapes
//   NAME                declared without a value
//   # comment           by itself, or behind a value and white space
//
// In the first three forms $NAME, ${NAME}, ${NAME:-word}, ${NAME-word}, ${NAME:+word}, ${NAME+word},
// ${NAME:?word} and ${NAME?word} stand for what an earlier line gave, otherwise for a variable of this
// process; "\$" is a plain dollar, as is one that no name or brace follows. One that is not defined is an
// error: a hole in a secret is a puzzle for whoever gets it. The last line with a name counts.
struct DotenvEntry {
  std::string_view name;
  std::string_view raw;  // between the quotes
  char quote = '\0';     // ' " ` or none
  bool has_value = false;
  int line = 1;  // where it begins
};

// The entries of `text`, which may be hostile; views into it. An error names the line and nothing of what is
// in it.
Expected<std::vector<DotenvEntry>> ParseDotenv(std::string_view text);

// A variable of this process; nullopt when it is not set. Views valid as long as the environment.
using ProcessVariable = std::function<std::optional<std::string_view>(std::string_view name)>;

// The value of the last entry `name`, escapes and references resolved; nullopt when there is none or it has
// no value. Errors as above.
Expected<std::optional<SecretValue>> DotenvValue(const std::vector<DotenvEntry>& entries,
                                                 std::string_view name, const ProcessVariable& variable);

}  // namespace casemate::secrets
