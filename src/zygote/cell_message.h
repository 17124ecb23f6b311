#pragma once

#include <cstddef>
#include <cstdint>

namespace casemate {

// What the engine sends to a zygote (SOCK_SEQPACKET) for each cell: this struct, with the descriptors below
// attached in this order (SCM_RIGHTS). All answers come on the cell's own launch socket.
struct CellMessage {
  std::uint32_t cgroup_tasks = 0;  // how many `tasks` files are attached at the end
  std::uint32_t rehearse = 1;      // 0 when somebody waits for the cell: the program finds its own pages then
};

enum class CellDescriptor : std::size_t {
  kSocket,
  kLifeline,
  kExitStatus,
  kUserNamespace,
  kNetworkNamespace,
  kStdin,
  kStdout,
  kStderr,
  kRequest,
  kResult,
  kFirstTask,
};
inline constexpr std::size_t kCellTasksMax = 8;
inline constexpr std::size_t kCellDescriptorsMax =
    static_cast<std::size_t>(CellDescriptor::kFirstTask) + kCellTasksMax;

// A resource limit (setrlimit(2)) of the cell's program: the payload of a frame FrameType::kCellLimits is
// some of these in the host's byte order.
struct CellLimit {
  std::uint64_t resource = 0;
  std::uint64_t soft = 0;
  std::uint64_t hard = 0;
};

// Where a zygote finds what it needs beside the harness's two channels.
inline constexpr int kZygoteControlFd = 1102;
inline constexpr int kZygoteInitFd = 1103;

}  // namespace casemate
