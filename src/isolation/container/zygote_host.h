#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "casemate/backend.h"
#include "casemate/engine.h"
#include "isolation/container/cell_slot.h"
#include "isolation/container/channels.h"
#include "isolation/container/host_memory.h"
#include "isolation/container/launch_plan.h"
#include "isolation/container/sandbox.h"

namespace casemate::container {

// A zygote of one environment, the cells that wait, and those that are being born or buried. One thread of
// its own does all of that; nothing but a look at the stock happens on a run's own thread.
class ZygoteHost {
 public:
  struct Options {
    Host host;
    EnvironmentView environment;
    std::vector<RootFile> root_files;  // zygote.pyc first
    std::vector<std::string> preload;
    int cells_max = 16;                     // waiting ones
    std::int64_t idle_expiry_ms = 600'000;  // unasked for so long, it ends its zygote until it is asked again
    // Whether the host has so little memory left that no cell should wait in it; asked once a second at most.
    std::function<bool()> memory_is_short = HostMemoryIsShort;
  };
  explicit ZygoteHost(Options options);
  // As Retire(), and waits for the end of the cells that run.
  ~ZygoteHost();
  ZygoteHost(const ZygoteHost&) = delete;
  ZygoteHost& operator=(const ZygoteHost&) = delete;

  struct Taken {
    std::unique_ptr<ContainerSandbox> sandbox;
    bool forked_on_demand = false;
    // No other cell is made while its program runs.
    bool undisturbed = false;
  };
  // A waiting cell for one program, in the order of asking: at once when there is one in stock. Blocks for at
  // most `patience_ms`; kUnavailable when there is none by then, and at once while there is no zygote. That
  // of a session may be kept for long, and keeps the zygote.
  Expected<Taken> Take(std::int64_t patience_ms, bool session = false);

  // Ends the cells that wait; the zygote ends with the last cell that runs, since it would take it along.
  // Does not block. True when that is over.
  bool Retire();

  // Whether a file that the zygote has loaded is another one by now: then it gives no more cells.
  bool IsStale() const;

  struct Status {
    int waiting = 0;
    int running = 0;
    std::int64_t taken = 0;
    std::int64_t forked_on_demand = 0;
    std::map<std::string, std::string> modules;  // "" or why it is not warm
    std::string error;                           // why there is no zygote
    std::int64_t failed_starts = 0;              // of zygotes, in a row
  };
  Status status() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace casemate::container
