#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "casemate/backend.h"
#include "casemate/error.h"
#include "confine/plan.h"

namespace casemate::container {

// What a waiting cell gets from outside before its program, because it has no power left to do it itself.
struct CellChanges {
  std::string scratch_size;  // in bytes; "" for what it has
  std::string scratch_inodes;
  std::vector<const BindMount*> binds;  // with detached trees
  std::vector<SecretFile> secrets;      // for /run/secrets
  bool expects_files = false;           // a file stream follows
  int egress_port = 0;                  // a socket is to listen there on its own loopback; 0: none
};

// Does them in a process that enters the cell's namespaces through `pidfd` of its init; files are made as the
// program's own user, below the folder `workspace`. `send_files` is called with a socket when files are
// expected. Blocks until all is done. What comes back is the socket that listens; not valid where none was
// asked for.
Expected<UniqueFd> ChangeCell(int pidfd, int workspace, bool change_ids, const CellChanges& changes,
                              const std::function<Expected<void>(int socket)>& send_files);

}  // namespace casemate::container
