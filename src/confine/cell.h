#pragma once

#include <linux/filter.h>

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "confine/plan.h"

namespace casemate {

// A cell: a copy of a zygote in a complete set of namespaces of its own, with every power dropped, that waits
// for one program. The zygote has no capability itself. It enters a user namespace that was made for the cell
// and whose owner it is (user_namespaces(7): the creator's user id has all capabilities in it), so that all
// that follows is done with the powers of that namespace alone.

// What all cells of a zygote have in common; made once, before the first is forked.
struct CellPlan {
  IdPlan ids;
  ScratchPlan scratch;
  std::string proc_options;
  std::string host_name;
  int init_binary = -1;  // memfd with the reaper
  std::span<const sock_filter> seccomp;
  LandlockPlan landlock;  // where most programs may write
};

// The descriptors of one cell, as the engine sent them.
struct CellOrder {
  int socket = -1;  // the launch socket: kCloned, kMounted and kListener, or kFailed; then its end
  int lifeline = -1;
  int exit_status = -1;
  int user_namespace = -1;
  int network_namespace = -1;
  std::span<const int> cgroup_tasks;
  std::span<const DescriptorMove> channels;  // what the program gets
};

// The file below /code of a program whose name is not told.
inline constexpr char kCellCodeName[] = "main.py";

// What the cell keeps until its program comes; closed by SealCell.
struct CellHandles {
  int socket = -1;
  int code_folder = -1;  // where the program's text goes; seen read-only at /code
  int code_file = -1;    // kCellCodeName there, empty
  int landlock = -1;     // ruleset of the plan; -1 where the kernel has none
};

// Forks a cell. Returns false in the zygote when the cell lives or has failed (it says so on its socket), and
// true in the cell: pid 2 of its own namespaces, its privileges gone and its system calls filtered; `handles`
// is filled. The calling process has one thread and all signals blocked.
bool ForkCell(const CellPlan& plan, const CellOrder& order, CellHandles& handles);

// The last step, when the program's own settings are known: its text, its limits, and where it may write.
// 0 or -errno.
struct CellSeal {
  std::span<const ResourceLimit> limits;
  const std::vector<std::string>* writable = nullptr;  // null: as the plan has it
  bool connects = false;                               // as LandlockPlan has it
  const char* code_name = nullptr;
  std::string_view code;
};
int SealCell(const CellPlan& plan, const CellSeal& seal, CellHandles& handles);

}  // namespace casemate
