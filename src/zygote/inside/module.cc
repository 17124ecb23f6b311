// The part of a zygote that Python cannot say: an extension module for the stable ABI (PEP 384), so that one
// file serves every interpreter from 3.9 on. runtime/python/zygote.py is its only caller.
#define Py_LIMITED_API 0x03090000
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <fcntl.h>
#include <link.h>
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "base/descriptor_message.h"
#include "casemate/backend.h"
#include "confine/cell.h"
#include "confine/cell_branch.h"
#include "confine/seccomp_filter.h"
#include "zygote/cell_message.h"
#include "zygote/inside/huge_arenas.h"
#include "zygote/inside/huge_blocks.h"
#include "zygote/inside/huge_text.h"
#include "zygote/inside/settle.h"

namespace casemate {
namespace {

CellPlan plan;
CellHandles handles;

class BlockedSignals {
 public:
  BlockedSignals() {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before_);
  }
  ~BlockedSignals() { sigprocmask(SIG_SETMASK, &before_, nullptr); }
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;

 private:
  sigset_t before_{};
};

bool ReadPaths(PyObject* list, std::vector<std::string>& paths) {
  for (Py_ssize_t i = 0; i < PyList_Size(list); ++i) {
    const char* path = nullptr;
    if (PyArg_Parse(PyList_GetItem(list, i), "s", &path) == 0) return false;
    paths.emplace_back(path);
  }
  return true;
}

PyObject* Configure(PyObject* /*self*/, PyObject* args) {
  const char* scratch = nullptr;
  const char* proc = nullptr;
  const char* host_name = nullptr;
  PyObject* views = nullptr;
  PyObject* writable = nullptr;
  int change_ids = 0;
  if (PyArg_ParseTuple(args, "sssiOiO", &scratch, &proc, &host_name, &change_ids, &views, &plan.landlock.abi,
                       &writable) == 0 ||
      !ReadPaths(writable, plan.landlock.writable)) {
    return nullptr;
  }
  plan.scratch.options = scratch;
  plan.proc_options = proc;
  plan.host_name = host_name;
  plan.ids.change_ids = change_ids != 0;
  plan.ids.clear_groups = change_ids != 0;
  plan.init_binary = kZygoteInitFd;
  plan.seccomp = ContainerSeccompFilter();
  for (Py_ssize_t i = 0; i < PyList_Size(views); ++i) {
    const char* name = nullptr;
    const char* target = nullptr;
    unsigned long long attributes = 0;
    unsigned mode = 0;
    if (PyArg_ParseTuple(PyList_GetItem(views, i), "ssKI", &name, &target, &attributes, &mode) == 0)
      return nullptr;
    plan.scratch.views.push_back({name, target, attributes, mode});
  }
  Py_RETURN_NONE;
}

PyObject* Settle(PyObject* /*self*/, PyObject* /*args*/) {
  const BlockedSignals blocked;
  UseHugeText();
  AllowHugePages(false);
  return PyLong_FromLongLong(SettleMemory());
}

struct Packet {
  CellMessage message;
  std::array<int, kCellDescriptorsMax> fds{};
  std::size_t count = 0;
  int operator[](CellDescriptor which) const { return fds[static_cast<std::size_t>(which)]; }
};

// False at the end of the conversation: the engine is gone.
bool Receive(int control, Packet& packet) {
  const ssize_t got = ReceiveDescriptors(control, std::as_writable_bytes(std::span(&packet.message, 1)),
                                         packet.fds, packet.count);
  if (got != static_cast<ssize_t>(sizeof(packet.message))) return false;
  return packet.message.cgroup_tasks <= kCellTasksMax &&
         packet.count == static_cast<std::size_t>(CellDescriptor::kFirstTask) + packet.message.cgroup_tasks;
}

bool ForkFor(const Packet& packet) {
  const std::array<DescriptorMove, 5> channels = {
      DescriptorMove{packet[CellDescriptor::kStdin], 0}, DescriptorMove{packet[CellDescriptor::kStdout], 1},
      DescriptorMove{packet[CellDescriptor::kStderr], 2},
      DescriptorMove{packet[CellDescriptor::kRequest], kRequestFd},
      DescriptorMove{packet[CellDescriptor::kResult], kResultFd}};
  CellOrder order;
  order.socket = packet[CellDescriptor::kSocket];
  order.lifeline = packet[CellDescriptor::kLifeline];
  order.exit_status = packet[CellDescriptor::kExitStatus];
  order.user_namespace = packet[CellDescriptor::kUserNamespace];
  order.network_namespace = packet[CellDescriptor::kNetworkNamespace];
  order.cgroup_tasks =
      std::span(packet.fds)
          .subspan(static_cast<std::size_t>(CellDescriptor::kFirstTask), packet.message.cgroup_tasks);
  order.channels = channels;
  const BlockedSignals blocked;
  return ForkCell(plan, order, handles);
}

// Forks cells on demand; returns in each of them, never in the zygote: whether the cell is to rehearse.
PyObject* Serve(PyObject* /*self*/, PyObject* args) {
  int control = -1;
  if (PyArg_ParseTuple(args, "i", &control) == 0) return nullptr;
  {
    const BlockedSignals blocked;
    UseSettledMemory();
  }
  for (;;) {
    Packet packet;
    if (!Receive(control, packet)) _exit(0);
    PyOS_BeforeFork();
    if (ForkFor(packet)) {
      TakeRewrittenPages();
      PyOS_AfterFork_Child();
      return PyBool_FromLong(packet.message.rehearse != 0);
    }
    PyOS_AfterFork_Parent();
    for (std::size_t i = 0; i < packet.count; ++i) close(packet.fds[i]);
  }
}

// The end of the launch conversation: the engine may use this cell.
PyObject* Ready(PyObject* /*self*/, PyObject* /*args*/) {
  // No child of the program's is to have these.
  fcntl(kRequestFd, F_SETFD, FD_CLOEXEC);
  fcntl(kResultFd, F_SETFD, FD_CLOEXEC);
  close(handles.socket);
  handles.socket = -1;
  Py_RETURN_NONE;
}

// Moves what begins `bytes` and is whole into `frames`; what is left is shorter than a frame. The sender is
// the engine. 1 after the frame that ends a request, -1 with an exception.
int TakeFrames(std::string& bytes, PyObject* frames) {
  constexpr std::size_t kHeaderBytes = 5;
  std::size_t begin = 0;
  int outcome = 0;
  while (outcome == 0 && bytes.size() - begin >= kHeaderBytes) {
    std::uint32_t size = 0;
    std::memcpy(&size, bytes.data() + begin + 1, sizeof(size));  // little-endian, as all of our hosts
    if (bytes.size() - begin - kHeaderBytes < size) break;
    if (bytes[begin] == 'g') outcome = 1;
    PyObject* const kind = PyBytes_FromStringAndSize(bytes.data() + begin, 1);
    PyObject* const payload = PyBytes_FromStringAndSize(bytes.data() + begin + kHeaderBytes, size);
    if (kind == nullptr || payload == nullptr || PyDict_SetItem(frames, kind, payload) != 0) outcome = -1;
    Py_XDECREF(kind);
    Py_XDECREF(payload);
    begin += kHeaderBytes + size;
  }
  bytes.erase(0, begin);
  return outcome;
}

// The request's frames by type, as harness.py reads them. The engine speaks first; its silence is its death.
PyObject* ReadRequest(PyObject* /*self*/, PyObject* args) {
  int fd = -1;
  if (PyArg_ParseTuple(args, "i", &fd) == 0) return nullptr;
  PyObject* const frames = PyDict_New();
  std::string bytes;
  std::array<char, 65536> piece;  // NOLINT(cppcoreguidelines-pro-type-member-init): read into
  for (int outcome = 0; frames != nullptr && outcome <= 0;) {
    const ssize_t count = read(fd, piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) _exit(125);
    bytes.append(piece.data(), static_cast<std::size_t>(count));
    outcome = TakeFrames(bytes, frames);
    if (outcome < 0) {
      Py_DECREF(frames);
      return nullptr;
    }
  }
  return frames;
}

PyObject* Seal(PyObject* /*self*/, PyObject* args) {
  CellSeal seal;
  const char* limits = nullptr;
  Py_ssize_t limits_bytes = 0;
  PyObject* writable = nullptr;
  const char* code = nullptr;
  Py_ssize_t code_bytes = 0;
  int connects = 0;
  int rehearsed = 0;
  if (PyArg_ParseTuple(args, "y#Opsy#p", &limits, &limits_bytes, &writable, &connects, &seal.code_name, &code,
                       &code_bytes, &rehearsed) == 0)
    return nullptr;
  seal.connects = connects != 0;
  seal.code = {code, static_cast<std::size_t>(code_bytes)};
  std::array<ResourceLimit, RLIM_NLIMITS> values;
  const std::size_t count = static_cast<std::size_t>(limits_bytes) / sizeof(CellLimit);
  if (count > values.size()) return PyLong_FromLong(-EINVAL);
  for (std::size_t i = 0; i < count; ++i) {
    CellLimit limit;
    std::memcpy(&limit, limits + i * sizeof(limit), sizeof(limit));
    values[i] = {static_cast<int>(limit.resource), {limit.soft, limit.hard}};
  }
  std::vector<std::string> paths;
  if (writable != Py_None) {
    if (!ReadPaths(writable, paths)) return nullptr;
    seal.writable = &paths;
  }
  seal.limits = std::span(values).first(count);
  if (rehearsed != 0) return PyLong_FromLong(0);
  const int failed = SealCell(plan, seal, handles);
  AllowHugePages(true);
  return PyLong_FromLong(failed);
}

// For a program whose state is to be forked: a session.
PyObject* Enlarge(PyObject* /*self*/, PyObject* /*args*/) {
  UseHugeArenas();
  UseHugeBlocks();
  Py_RETURN_NONE;
}

// Makes so many branches of this session. In each of them the descriptor of its requests; -errno in the
// origin, which lives on only when there are none after all.
PyObject* Branch(PyObject* /*self*/, PyObject* args) {
  int count = 0;
  if (PyArg_ParseTuple(args, "i", &count) == 0) return nullptr;
  PyOS_BeforeFork();
  int outcome = 0;
  {
    const BlockedSignals blocked;
    outcome = ForkBranches(plan.ids, count);
  }
  if (outcome > 0) {
    PyOS_AfterFork_Child();
  } else {
    PyOS_AfterFork_Parent();
  }
  return PyLong_FromLong(outcome);
}

// What the program has left in the buffers of C's stdio: the C library would write it at exit(3).
PyObject* Flush(PyObject* /*self*/, PyObject* /*none*/) {
  fflush(nullptr);
  Py_RETURN_NONE;
}

// How many shared objects this process has loaded in its life, dlclose(3) or not.
PyObject* Loaded(PyObject* /*self*/, PyObject* /*none*/) {
  unsigned long long count = 0;
  dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* to) {
        *static_cast<unsigned long long*>(to) = info->dlpi_adds;
        return 1;
      },
      &count);
  return PyLong_FromUnsignedLongLong(count);
}

// After the program's last word, in here, where the program cannot have replaced it. The engine ends this
// process when it has read the word; an exit of our own would compete with it for a processor until then.
// Where it did not understand the word, it waits for an exit.
PyObject* Leave(PyObject* /*self*/, PyObject* args) {
  constexpr int kPatienceMs = 20;
  int code = 0;
  if (PyArg_ParseTuple(args, "i", &code) == 0) return nullptr;
  poll(nullptr, 0, kPatienceMs);
  _exit(code);
}

std::array<PyMethodDef, 12> methods = {{
    {"configure", Configure, METH_VARARGS, nullptr},
    {"settle", Settle, METH_NOARGS, nullptr},
    {"serve", Serve, METH_VARARGS, nullptr},
    {"ready", Ready, METH_NOARGS, nullptr},
    {"read_request", ReadRequest, METH_VARARGS, nullptr},
    {"seal", Seal, METH_VARARGS, nullptr},
    {"enlarge", Enlarge, METH_NOARGS, nullptr},
    {"branch", Branch, METH_VARARGS, nullptr},
    {"flush", Flush, METH_NOARGS, nullptr},
    {"loaded", Loaded, METH_NOARGS, nullptr},
    {"leave", Leave, METH_VARARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
}};

PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "casemate_cell", nullptr, -1, methods.data(), nullptr, nullptr, nullptr, nullptr};

}  // namespace
}  // namespace casemate

PyMODINIT_FUNC PyInit_casemate_cell() { return PyModule_Create(&casemate::definition); }
