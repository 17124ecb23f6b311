#pragma once

#include "casemate/session.h"
#include "casemate/session_branches.h"
#include "casemate/session_contexts.h"

namespace casemate {

// Sessions that hand everything on to others; what stands between overrides what it is about.
class ForwardingSessions : public Sessions, public SessionBranches, public SessionContexts {
 public:
  // `inner` outlives this.
  explicit ForwardingSessions(Sessions& inner)
      : inner_(inner),
        branches_(dynamic_cast<SessionBranches*>(&inner)),
        contexts_(dynamic_cast<SessionContexts*>(&inner)) {}

  Expected<SessionInfo> Open(const SessionOptions& options) override { return inner_.Open(options); }
  Expected<ExecutionResult> Run(const std::string& id, const ExecutionRequest& request, EventSink* sink,
                                int cancel_fd, bool cancel_on_hang_up) final {
    return RunIn(id, "", request, sink, cancel_fd, cancel_on_hang_up);
  }
  // Every step comes here, in whatever context.
  Expected<ExecutionResult> RunIn(const std::string& id, const std::string& context,
                                  const ExecutionRequest& request, EventSink* sink, int cancel_fd,
                                  bool cancel_on_hang_up) override {
    if (contexts_ != nullptr)
      return contexts_->RunIn(id, context, request, sink, cancel_fd, cancel_on_hang_up);
    if (context.empty()) return inner_.Run(id, request, sink, cancel_fd, cancel_on_hang_up);
    return Fail(ErrorCode::kUnavailable, "this engine's sessions have no contexts");
  }
  Expected<void> Interrupt(const std::string& id) override { return inner_.Interrupt(id); }
  std::vector<SessionInfo> List() override { return inner_.List(); }
  Expected<SessionInfo> Get(const std::string& id) override { return inner_.Get(id); }
  Expected<std::string> CallerOf(const std::string& id) override { return inner_.CallerOf(id); }
  Expected<void> Close(const std::string& id) override { return inner_.Close(id); }
  Expected<FileAnswer> Files(const std::string& id, const FileRequest& request) override {
    return inner_.Files(id, request);
  }

  Expected<std::vector<SessionInfo>> Fork(const std::string& id, const ForkOptions& options) override {
    if (branches_ == nullptr) return NoCopies();
    return branches_->Fork(id, options);
  }
  Expected<CheckpointInfo> Checkpoint(const std::string& id, const std::string& name) override {
    if (branches_ == nullptr) return NoCopies();
    return branches_->Checkpoint(id, name);
  }
  Expected<std::vector<CheckpointInfo>> Checkpoints(const std::string& id) override {
    if (branches_ == nullptr) return NoCopies();
    return branches_->Checkpoints(id);
  }
  Expected<SessionInfo> Rewind(const std::string& id, const std::string& checkpoint) override {
    if (branches_ == nullptr) return NoCopies();
    return branches_->Rewind(id, checkpoint);
  }
  Expected<void> DropCheckpoint(const std::string& id, const std::string& checkpoint) override {
    if (branches_ == nullptr) return NoCopies();
    return branches_->DropCheckpoint(id, checkpoint);
  }

 private:
  static std::unexpected<Error> NoCopies() {
    return Fail(ErrorCode::kUnavailable, "this engine's sessions cannot be copied");
  }

  Sessions& inner_;
  SessionBranches* branches_;  // null for sessions that have none
  SessionContexts* contexts_;  // the same
};

}  // namespace casemate
