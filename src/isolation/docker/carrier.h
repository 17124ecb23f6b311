#pragma once

#include <sys/wait.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "casemate/backend.h"
#include "isolation/wire/connections.h"
#include "isolation/wire/wire_reader.h"

namespace casemate::docker {

// Moves bytes between one container's attached streams and the pipes and connections of a Sandbox, in a
// thread of its own, until the program has ended; after that the caller may ask for files. The engine's ends
// of the pipes are the caller's.
class Carrier {
 public:
  struct Ends {
    UniqueFd stdin_end;  // read from; not valid when the program has none
    UniqueFd request_end;
    UniqueFd stdout_end;  // written to
    UniqueFd stderr_end;
    UniqueFd result_end;
    UniqueFd handover;  // of connections; not valid when the program has no network
    NetworkLimits network;
  };
  // Ends the container's processes without asking the attendant; true when that is certain to happen.
  using HardKill = std::function<bool()>;

  // Where the attendant's frames come from and go to: one socket, or two pipes.
  struct Line {
    UniqueFd in;
    UniqueFd out;       // not valid: `in` is a socket
    std::string early;  // what was read of it already
    Layers layers = Layers::kDocker;
    const char* broken = "the Docker Engine broke off; look at its log";  // told when it ends too early
  };

  // `order` is sent first.
  Carrier(Line line, Ends ends, std::string order, HardKill hard_kill);
  // The engine's ends of the pipes are closed by then.
  ~Carrier();
  Carrier(const Carrier&) = delete;
  Carrier& operator=(const Carrier&) = delete;

  void Start();
  // The first process of the container; its end is noticed even if the Docker Engine says nothing.
  void Watch(int pidfd);

  // Waits for the program to be executed. The attendant's own reason when it could not be.
  struct NotStarted {
    int err = 0;  // of the attendant; 0 when the stream ended
    std::string what;
  };
  std::optional<NotStarted> WaitStarted(const Deadline& deadline);

  // Any thread. The program is killed, if need be with its container.
  void Stop() noexcept;

  // Readable when nothing of the program runs any more, and all that it wrote is in its pipes.
  int exit_fd() const { return exit_event_.get(); }
  // How the program ended. Blocks until exit_fd() is readable; not for the carrier's own thread.
  ExitReport Exit();
  bool lost() const { return lost_; }

  std::int64_t tmp_bytes() const { return tmp_bytes_; }
  std::int64_t tmp_files() const { return tmp_files_; }
  bool tmp_full() const { return tmp_full_; }
  // What the attendant told of its own cgroup; nothing where it has none.
  struct Counted {
    std::int64_t memory_peak_bytes = 0;
    std::int64_t memory_kills = 0;
    std::int64_t process_refusals = 0;
    std::int64_t processes_peak = 0;
  };
  Counted counted() const;

  // Once exit_fd() is readable.
  Expected<std::vector<OutputFile>> Collect(const Sandbox::WantedFile& wanted, std::int64_t bytes_max);

  // Closes the stream, at which the attendant and with it the container end.
  void Close();

 private:
  struct Outlet {
    UniqueFd fd;
    std::string waiting;
  };
  struct Inlet {
    UniqueFd fd;
    Wire kind;
    std::size_t window = kWindow;
  };

  void Run();
  void Turn();
  void ReadStream();
  bool TakeFrame(WireFrame& frame);
  static void TakeOutput(Outlet& outlet, const std::string& bytes);
  void TakeCredit(Inlet& inlet, const std::string& payload);
  void TakeUse(const std::string& payload);
  void TakeCounted(const std::string& payload);
  ssize_t Send(std::string_view bytes) const;
  void FeedFrom(Inlet& inlet);
  void WriteStream();
  static void WriteOutlet(Outlet& outlet);
  void Lose();
  void HoldToStop();
  void TellStart(NotStarted reason, bool started);
  Expected<WireFrame> NextFrame(const Deadline& deadline);
  bool Flushed() const;
  void CarryOut(Wire kind, std::string_view payload);

  WireReader reader_;
  std::vector<WireFrame> frames_;  // of Collect() alone
  std::string outgoing_;
  std::array<Inlet, 2> inlets_;
  std::array<Outlet, 3> outlets_;
  std::optional<Connections> connections_;
  HardKill hard_kill_;
  std::string early_;
  UniqueFd stream_;
  UniqueFd stream_out_;
  const char* broken_off_;
  UniqueFd stop_event_;
  UniqueFd exit_event_;
  std::atomic<int> pidfd_ = -1;
  std::int64_t stop_until_us_ = 0;
  std::int64_t dead_at_us_ = 0;
  std::atomic<std::int64_t> tmp_bytes_ = 0;
  std::atomic<std::int64_t> tmp_files_ = 0;

  mutable std::mutex mutex_;
  std::condition_variable start_told_;
  NotStarted reason_;  // under the mutex, as the next three
  bool told_ = false;
  bool started_ = false;
  Counted counted_;

  bool stopping_ = false;
  bool done_ = false;
  int hard_kills_ = 0;
  std::optional<int> wait_status_;
  std::atomic<bool> lost_ = false;
  std::atomic<bool> asked_to_stop_ = false;
  std::atomic<bool> tmp_full_ = false;
  std::thread thread_;
};

// What `spec` asks for: pipes, whose other ends go into `channels`, by Channel, and where connections are
// handed over, whose other end goes into `egress`.
Expected<Carrier::Ends> MakePipes(const LaunchSpec& spec, std::array<UniqueFd, 5>& channels,
                                  UniqueFd& egress);

}  // namespace casemate::docker
