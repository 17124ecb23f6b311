#pragma once

#include "casemate/error.h"

namespace casemate::egress {

// Gives up, for good and before any foreign byte is read, all that the proxy does not need: root's ids and
// capabilities, writing files, reading any outside /etc, /usr and /lib, new processes and programs, and the
// system calls that profiles/egress/calls.txt does not name. The calling process has one thread. Where the
// kernel has no Landlock that one wall is missing; all others are required.
Expected<void> GiveUpPower();

}  // namespace casemate::egress
