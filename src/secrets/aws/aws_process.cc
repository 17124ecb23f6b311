// Credentials that a command of the profile prints, as the AWS command's own documentation has it ("Sourcing
// credentials with an external process"): a JSON object of version 1.
#include <fmt/format.h>

#include "secrets/aws/aws_credentials.h"
#include "secrets/http/json_body.h"
#include "secrets/provider/secret_command.h"

namespace casemate::secrets {
namespace {

std::unexpected<Error> Refuse(std::string message) {
  return Fail(ErrorCode::kUnavailable, std::move(message));
}

bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

class Splitter {
 public:
  explicit Splitter(std::string_view text) : text_(text) {}

  Expected<std::vector<std::string>> Run() {
    while (at_ < text_.size()) {
      if (IsBlank(text_[at_])) {
        ++at_;
      } else if (!Word()) {
        return Fail(ErrorCode::kInvalidRequest, "a quote or a backslash in it is not closed");
      }
    }
    if (words_.empty()) return Fail(ErrorCode::kInvalidRequest, "it has no word");
    return std::move(words_);
  }

 private:
  bool Word() {
    words_.emplace_back();
    for (; at_ < text_.size() && !IsBlank(text_[at_]); ++at_) {
      const char c = text_[at_];
      if (c == '\'' || c == '"') {
        if (!Quoted(c)) return false;
      } else if (c == '\\') {
        if (++at_ == text_.size()) return false;
        words_.back() += text_[at_];
      } else {
        words_.back() += c;
      }
    }
    return true;
  }

  bool Quoted(char quote) {
    for (++at_; at_ < text_.size() && text_[at_] != quote; ++at_) {
      const bool escapes = quote == '"' && text_[at_] == '\\' && at_ + 1 < text_.size() &&
                           (text_[at_ + 1] == '"' || text_[at_ + 1] == '\\');
      if (escapes) ++at_;
      words_.back() += text_[at_];
    }
    return at_ < text_.size();
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::vector<std::string> words_;
};

}  // namespace

Expected<std::vector<std::string>> SplitCommand(std::string_view text) { return Splitter(text).Run(); }

Expected<AwsCredentials> AwsCredentialChain::FromProcess(const std::string& command,
                                                         const std::string& profile,
                                                         const Deadline& deadline) {
  const std::string who = fmt::format("the credential_process of the AWS profile {}", profile);
  const auto words = SplitCommand(command);
  if (!words) return Refuse(fmt::format("{} cannot be started: {}", who, words.error().message));
  auto ran = RunForSecret(*words, who, kSecretBytesMax, deadline);
  if (!ran) return std::unexpected(ran.error());
  if (ran->exit_code != 0) {
    return Refuse(fmt::format("{} failed with exit code {}: try it in a shell", who, ran->exit_code));
  }
  const auto parsed = ParseBody(ran->text.Reveal());
  if (!parsed || !parsed->is_object() || NumberAt(*parsed, "Version") != 1) {
    return Refuse(fmt::format("{} prints no JSON object of \"Version\" 1: try it in a shell", who));
  }
  const std::string access = TextAt(*parsed, "AccessKeyId");
  const std::string secret = TextAt(*parsed, "SecretAccessKey");
  if (access.empty() || secret.empty()) {
    return Refuse(fmt::format("{} prints no AccessKeyId or no SecretAccessKey: try it in a shell", who));
  }
  return MakeAwsCredentials(access, secret, TextAt(*parsed, "SessionToken"), TextAt(*parsed, "Expiration"));
}

}  // namespace casemate::secrets
