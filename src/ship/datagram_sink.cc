#include "ship/datagram_sink.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/clock.h"
#include "base/descriptor_message.h"
#include "base/errno.h"
#include "base/file.h"
#include "base/unique_fd.h"
#include "model/json_value.h"
#include "model/json_writer.h"

namespace casemate::ship {
namespace {

constexpr std::string_view kIdentifier = "casemate-audit";
// syslog(3): the facility for messages of security, and two severities.
constexpr int kAuthPriv = 10;
constexpr int kWarning = 4;
constexpr int kInformational = 6;

int SeverityOf(const Record& record) { return record.is_warning() ? kWarning : kInformational; }

// "Nov  1 14:00:00", local time, as daemons on this host write it.
std::string LocalTime(std::int64_t time_us) {
  const time_t seconds = time_us / 1'000'000;
  tm parts{};
  ::localtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  const std::size_t size = ::strftime(text.data(), text.size(), "%b %e %H:%M:%S", &parts);
  return {text.data(), size};
}

std::string Shorten(const Record& record) {
  JsonWriter writer;
  writer.BeginObject();
  for (const char* name : {"kind", "time", "id", "status", "caller", "surface"}) {
    constexpr std::size_t kTextMax = 512;
    if (const std::string_view text = record.Text(name); !text.empty())
      writer.Field(name, text.substr(0, kTextMax));
  }
  writer.Field("shortened_bytes", record.line.size());
  writer.Field("seq", record.seq);
  writer.Field("hash", record.Text("hash"));
  writer.EndObject();
  return std::move(writer).Take();
}

void AddField(std::string& message, std::string_view name, std::string_view value) {
  if (value.empty()) return;
  message += name;
  if (value.find('\n') == std::string_view::npos) {
    message += '=';
  } else {
    // A value of several lines goes with its size, 64 bits, little-endian.
    message += '\n';
    std::uint64_t size = value.size();
    for (std::size_t i = 0; i < sizeof size; ++i, size >>= 8U) message += static_cast<char>(size & 0xFFU);
  }
  message += value;
  message += '\n';
}

class DatagramSink : public Sink {
 public:
  DatagramSink(std::string path, DatagramForm form) : path_(std::move(path)), form_(form) {}

  Delivery Send(std::span<const Record> records) override {
    const Deadline deadline = Deadline::After(kSendMs);
    Delivery delivery;
    for (const Record& record : records) {
      bool shortened = false;
      const std::string message =
          form_ == DatagramForm::kSyslog ? SyslogMessage(record, shortened) : JournalMessage(record);
      if (const int error = SendOne(message, deadline); error != 0) {
        delivery.trouble = Explain(error);
        return delivery;
      }
      ++delivery.done;
      delivery.shortened += shortened ? 1 : 0;
    }
    return delivery;
  }

 private:
  std::string Explain(int error) const {
    if (error == EAGAIN || error == ENOBUFS) {
      return fmt::format("{} is full, and is not read: look at the daemon behind it", path_);
    }
    return fmt::format("nobody takes records at {}: start the daemon, or name its socket ({})", path_,
                       ErrnoName(error));
  }

  int Connect() {
    fd_ = UniqueFd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    if (path_.size() >= sizeof name.sun_path) return ENAMETOOLONG;
    std::memcpy(name.sun_path, path_.data(), path_.size());
    if (fd_.valid() && ::connect(fd_.get(), reinterpret_cast<sockaddr*>(&name), sizeof name) == 0) return 0;
    const int error = errno;
    fd_.reset();
    return error;
  }

  // 0, or why it was not taken.
  int SendOne(std::string_view message, const Deadline& deadline) {
    for (bool again = false;;) {
      if (!fd_.valid()) {
        if (const int error = Connect(); error != 0) return error;
      }
      if (::send(fd_.get(), message.data(), message.size(), MSG_NOSIGNAL) >= 0) return 0;
      const int error = errno;
      if (error == EINTR) continue;
      if (error == EMSGSIZE && form_ == DatagramForm::kJournald) return SendInMemory(message);
      if (error == EAGAIN || error == ENOBUFS) {
        pollfd room{fd_.get(), POLLOUT, 0};
        const std::int64_t left_ms = deadline.RemainingMs();
        if (left_ms == 0 || ::poll(&room, 1, static_cast<int>(left_ms)) <= 0) return error;
        continue;
      }
      // The daemon was started anew: its socket is another one.
      fd_.reset();
      if (again) return error;
      again = true;
    }
  }

  // What is larger than a datagram goes as a sealed file in memory.
  int SendInMemory(std::string_view message) {
    const UniqueFd file(::memfd_create("casemate-audit", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!file.valid()) return errno;
    if (!WriteAll(file.get(), message, "memfd")) return EIO;
    constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;
    if (::fcntl(file.get(), F_ADD_SEALS, kSeals) != 0) return errno;
    const std::array<int, 1> fds = {file.get()};
    return -SendDescriptors(fd_.get(), {}, fds);
  }

  const std::string path_;
  const DatagramForm form_;
  UniqueFd fd_;
};

}  // namespace

std::string SyslogMessage(const Record& record, bool& shortened) {
  shortened = record.line.size() > kSyslogBytesMax;
  return fmt::format("<{}>{} {}[{}]: {}", kAuthPriv * 8 + SeverityOf(record), LocalTime(record.time_us),
                     kIdentifier, ::getpid(), shortened ? Shorten(record) : record.line);
}

std::string JournalMessage(const Record& record) {
  std::string message;
  AddField(message, "MESSAGE", record.line);
  AddField(message, "PRIORITY", fmt::format("{}", SeverityOf(record)));
  AddField(message, "SYSLOG_FACILITY", fmt::format("{}", kAuthPriv));
  AddField(message, "SYSLOG_IDENTIFIER", kIdentifier);
  AddField(message, "CASEMATE_KIND", record.Text("kind"));
  AddField(message, "CASEMATE_RUN_ID", record.Text("id"));
  AddField(message, "CASEMATE_STATUS", record.Text("status"));
  AddField(message, "CASEMATE_CALLER", record.Text("caller"));
  AddField(message, "CASEMATE_SEQ", fmt::format("{}", record.seq));
  AddField(message, "CASEMATE_HASH", record.Text("hash"));
  return message;
}

std::unique_ptr<Sink> MakeDatagramSink(std::string path, DatagramForm form) {
  return std::make_unique<DatagramSink>(std::move(path), form);
}

}  // namespace casemate::ship
