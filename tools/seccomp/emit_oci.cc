#include "emit_oci.h"

namespace casemate::seccomp_tool {
namespace {

std::string Quoted(const std::string& name) { return "\"" + name + "\""; }

std::string Arguments(const std::vector<Condition>& conditions) {
  std::string text;
  for (const Condition& condition : conditions) {
    text += std::string(text.empty() ? "" : ",") + "{\"index\":" + std::to_string(condition.argument) +
            ",\"value\":" + std::to_string(condition.mask) +
            ",\"valueTwo\":" + std::to_string(condition.value) + ",\"op\":\"SCMP_CMP_MASKED_EQ\"}";
  }
  return "[" + text + "]";
}

class Writer {
 public:
  void Allow(const std::string& names, const std::vector<Condition>& conditions) {
    Add(names, "\"action\":\"SCMP_ACT_ALLOW\"", conditions);
  }
  void Answer(const std::string& names, int error, const std::vector<Condition>& conditions) {
    Add(names, "\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":" + std::to_string(error), conditions);
  }
  std::string Take() && { return std::move(text_); }

 private:
  void Add(const std::string& names, const std::string& action, const std::vector<Condition>& conditions) {
    text_ += (text_.empty() ? "\n" : ",\n") + std::string("{\"names\":[") + names + "]," + action;
    if (!conditions.empty()) text_ += ",\"args\":" + Arguments(conditions);
    text_ += '}';
  }
  std::string text_;
};

}  // namespace

std::string EmitOci(const Profile& profile) {
  const int otherwise = profile.families.at(0).answer;
  std::string plain;
  Writer rules;
  for (const Rule& rule : profile.rules) {
    for (const std::vector<Condition>& conditions : rule.alternatives) {
      if (rule.action == Action::kAllow && conditions.empty()) {
        plain += (plain.empty() ? "" : ",") + Quoted(rule.syscall);
      } else if (rule.action == Action::kAllow) {
        rules.Allow(Quoted(rule.syscall), conditions);
      } else {
        rules.Answer(Quoted(rule.syscall), rule.errno_value, conditions);
      }
    }
  }
  rules.Allow(plain, {});
  for (const Family& family : profile.families) {
    // A call of which a part is allowed keeps the default for the rest: two rules of one call would clash.
    if (family.answer == otherwise || family.argument >= 0) continue;
    std::string names;
    for (const std::string& syscall : family.syscalls) names += (names.empty() ? "" : ",") + Quoted(syscall);
    if (!names.empty()) rules.Answer(names, family.answer, {});
  }
  return "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":" + std::to_string(otherwise) +
         ",\"syscalls\":[" + std::move(rules).Take() + "\n]}\n";
}

}  // namespace casemate::seccomp_tool
