#include "surfaces/http/file_watch.h"

#include <fmt/format.h>
#include <poll.h>

#include <cstdint>
#include <map>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "model/json_writer.h"
#include "model/session_json.h"
#include "surfaces/http/event_stream.h"

namespace casemate::http {
namespace {

constexpr int kIntervalMs = 500;
constexpr std::int64_t kAliveUs = 15'000'000;

using Entries = std::map<std::string, FileInfo>;

class Watch {
 public:
  Watch(Sessions& sessions, std::string id, std::string path, Reply& reply, StreamForm form)
      : sessions_(sessions), id_(std::move(id)), path_(std::move(path)), reply_(reply), form_(form) {}

  // An error before anything was written.
  Expected<void> Begin() {
    auto now = Look();
    if (!now) return std::unexpected(now.error());
    known_ = *std::move(now);
    reply_.BeginStream(ContentTypeOf(form_));
    JsonWriter writer;
    writer.BeginObject();
    writer.Field("path", path_);
    writer.Field("interval_ms", kIntervalMs);
    writer.EndObject();
    Tell("watching", std::move(writer));
    return {};
  }

  // False when it is over.
  bool Again() {
    auto now = Look();
    if (!now) {
      End(now.error().message);
      return false;
    }
    for (const auto& [name, info] : *now) {
      const auto before = known_.find(name);
      if (before == known_.end()) {
        TellChange("created", info);
      } else if (!Same(before->second, info)) {
        TellChange("changed", info);
      }
    }
    for (const auto& [name, info] : known_) {
      if (!now->contains(name)) TellChange("removed", info);
    }
    known_ = *std::move(now);
    if (MonotonicUs() - told_at_us_ < kAliveUs) return true;
    JsonWriter nothing;
    nothing.BeginObject();
    nothing.EndObject();
    Tell("alive", std::move(nothing));
    return true;
  }

  void End(std::string_view reason) {
    JsonWriter writer;
    writer.BeginObject();
    writer.Field("reason", reason);
    writer.EndObject();
    Tell("end", std::move(writer));
    reply_.EndStream();
  }

 private:
  static bool Same(const FileInfo& one, const FileInfo& other) {
    return one.kind == other.kind && one.size_bytes == other.size_bytes &&
           one.modified_at_ms == other.modified_at_ms;
  }

  Expected<Entries> Look() {
    FileRequest request;
    request.path = path_;
    request.kind = FileRequest::Kind::kStat;
    auto own = sessions_.Files(id_, request);
    if (!own) return std::unexpected(own.error());
    Entries entries;
    if (own->entries.front().kind == FileInfo::Kind::kFolder) {
      request.kind = FileRequest::Kind::kList;
      auto inside = sessions_.Files(id_, request);
      if (!inside) return std::unexpected(inside.error());
      for (FileInfo& info : inside->entries) entries.emplace(info.name, info);
    } else {
      entries.emplace(own->entries.front().name, own->entries.front());
    }
    return entries;
  }

  void TellChange(std::string_view change, const FileInfo& info) {
    JsonWriter writer;
    writer.BeginObject();
    writer.Field("change", change);
    writer.Key("entry");
    WriteFileInfo(writer, info);
    writer.EndObject();
    Tell("change", std::move(writer));
  }

  void Tell(std::string_view event, JsonWriter writer) {
    const std::string data = std::move(writer).Take();
    told_at_us_ = MonotonicUs();
    // An object of a line says what it is itself.
    reply_.Write(form_ == StreamForm::kServerSent
                     ? fmt::format("event: {}\ndata: {}\n\n", event, data)
                     : fmt::format("{{\"event\":\"{}\",\"data\":{}}}\n", event, data),
                 true);
  }

  Sessions& sessions_;
  const std::string id_;
  const std::string path_;
  Reply& reply_;
  const StreamForm form_;
  Entries known_;
  std::int64_t told_at_us_ = 0;
};

}  // namespace

void WatchFiles(Runs& runs, Sessions& sessions, const Request& asked, const std::string& path, Reply& reply) {
  const StreamForm form = AcceptedForm(asked.accept).value_or(StreamForm::kServerSent);
  Watch watch(sessions, asked.params[0], path, reply, form);
  if (auto begun = watch.Begin(); !begun) {
    const Error& error = begun.error();
    return reply.Send(error.code == ErrorCode::kUnavailable ? ErrorAnswer(409, "conflict", error.ToString())
                                                            : ErrorAnswer(error));
  }
  for (;;) {
    pollfd gone{reply.hang_up_fd(), POLLRDHUP, 0};
    if (poll(&gone, 1, kIntervalMs) > 0) return reply.Break();
    if (runs.draining()) return watch.End("the engine is about to end");
    if (!watch.Again()) return;
  }
}

}  // namespace casemate::http
