#pragma once

#include <sys/types.h>

#include "base/unique_fd.h"
#include "isolation/docker/inside/order.h"

namespace casemate::docker {

// The program and the attendant's ends of its pipes; those that it was not given are not valid.
struct Program {
  pid_t pid = -1;
  UniqueFd stdin_end;
  UniqueFd request_end;
  UniqueFd stdout_end;
  UniqueFd stderr_end;
  UniqueFd result_end;
};

// Starts it: a session and limits of its own, Landlock, no way to gain a privilege. Returns once it has been
// executed; what cannot be done ends the attendant with its reason.
Program StartProgram(Order& order);

}  // namespace casemate::docker
