#include "profile.h"

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>

#include "toml_reader.h"

namespace casemate::seccomp_tool {
namespace {

constexpr std::uint64_t kLowHalf = 0xffffffff;

// Splits [first, last] into aligned blocks, each one masked comparison of the low 32 bits.
void AddRange(unsigned argument, std::uint64_t first, std::uint64_t last, std::vector<Condition>& out) {
  while (first <= last) {
    std::uint64_t size = 1;
    while (first % (size * 2) == 0 && first + size * 2 - 1 <= last) size *= 2;
    out.push_back({argument, kLowHalf & ~(size - 1), first});
    first += size;
  }
}

class Loader {
 public:
  explicit Loader(std::vector<std::string>& errors) : reader_(errors) {}

  Profile Load(const toml::table& root, const toml::table& refusals) {
    reader_.KnownKeys(root, {"profile", "allow", "rule"});
    reader_.KnownKeys(refusals, {"unlisted", "denied", "newer"});
    const toml::table& head = reader_.Table(root, "profile");
    reader_.KnownKeys(head, {"name", "architectures", "bad_architecture"});
    profile_.supervises_sockets = true;
    profile_.name = reader_.Text(head, "name");
    profile_.architectures = reader_.Texts(head, "architectures");
    if (reader_.Text(head, "bad_architecture") != "kill_process") {
      reader_.Fault(TomlReader::Where(head), "`bad_architecture` must be \"kill_process\".");
    }
    AddFamily("unlisted", reader_.Table(refusals, "unlisted"), false);
    for (const auto& [group, node] : reader_.Table(root, "allow")) AddGroup(node);
    if (const toml::array* rules = root["rule"].as_array()) {
      for (const toml::node& node : *rules) AddRule(node);
    }
    for (const auto& [name, node] : reader_.Table(refusals, "denied")) {
      if (const toml::table* table = TableOf(node)) AddFamily(std::string(name.str()), *table, true);
    }
    for (const auto& [name, node] : reader_.Table(refusals, "newer")) AddNewer(std::string(name.str()), node);
    CheckDuplicates();
    return profile_;
  }

  // What Load() has read, narrowed: whatever `refusals` denies is denied here, except as `root`'s own rules
  // say.
  Profile Narrow(const toml::table& root, const toml::table& refusals) {
    reader_.KnownKeys(root, {"profile", "rule"});
    reader_.KnownKeys(refusals, {"denied"});
    const toml::table& head = reader_.Table(root, "profile");
    reader_.KnownKeys(head, {"name", "base", "base_refusals"});
    profile_.name = reader_.Text(head, "name");
    profile_.supervises_sockets = false;
    const std::size_t own = profile_.families.size();
    for (const auto& [name, node] : reader_.Table(refusals, "denied")) {
      if (const toml::table* table = TableOf(node)) AddFamily(std::string(name.str()), *table, true);
    }
    for (std::size_t index = own; index < profile_.families.size(); ++index) {
      for (const std::string& syscall : profile_.families[index].syscalls)
        TakeOut(syscall, own, profile_.families[index].where);
    }
    const std::size_t kept = profile_.rules.size();
    if (const toml::array* rules = root["rule"].as_array()) {
      for (const toml::node& node : *rules) AddRule(node);
    }
    // A rule for anything else could allow what the base refuses.
    for (std::size_t index = kept; index < profile_.rules.size(); ++index) {
      const Rule& rule = profile_.rules[index];
      const bool denied = std::any_of(
          profile_.families.begin() + static_cast<std::ptrdiff_t>(own), profile_.families.end(),
          [&rule](const Family& family) { return std::ranges::count(family.syscalls, rule.syscall) > 0; });
      if (!denied)
        reader_.Fault(rule.where,
                      "`" + rule.syscall + "` is not denied by this profile; a rule only excepts.");
    }
    CheckDuplicates();
    return profile_;
  }

 private:
  void TakeOut(const std::string& syscall, std::size_t base_families, const std::string& where) {
    const std::size_t erased =
        std::erase_if(profile_.rules, [&syscall](const Rule& rule) { return rule.syscall == syscall; });
    if (erased == 0) reader_.Fault(where, "the base does not allow `" + syscall + "`; remove it here.");
    for (std::size_t index = 0; index < base_families; ++index) {
      std::erase(profile_.families[index].syscalls, syscall);
    }
  }

  const toml::table* TableOf(const toml::node& node) {
    if (node.as_table() == nullptr) reader_.Fault(TomlReader::Where(node), "a table belongs here.");
    return node.as_table();
  }

  std::vector<std::string> Architectures(const toml::table& table) {
    std::vector<std::string> names = reader_.Texts(table, "arch");
    for (const std::string& name : names) {
      if (!std::ranges::count(profile_.architectures, name)) {
        reader_.Fault(TomlReader::Where(table),
                      "`" + name + "` is not in profile.architectures; add it there.");
      }
    }
    return names.empty() ? profile_.architectures : names;
  }

  void AddGroup(const toml::node& node) {
    const toml::table* group = TableOf(node);
    if (group == nullptr) return;
    for (const auto& [name, entry] : *group) {
      Rule rule;
      rule.syscall = std::string(name.str());
      rule.where = TomlReader::Where(entry);
      rule.alternatives = {{}};
      rule.architectures = profile_.architectures;
      if (const toml::table* table = entry.as_table()) {
        reader_.KnownKeys(*table, {"arch", "reason"});
        reader_.Text(*table, "reason");
        rule.architectures = Architectures(*table);
      } else if (entry.value<std::string>().value_or("").empty()) {
        reader_.Fault(rule.where, "`" + rule.syscall + "` has no reason; say why it is allowed.");
      }
      profile_.rules.push_back(std::move(rule));
    }
  }

  void AddRule(const toml::node& node) {
    const toml::table* table = TableOf(node);
    if (table == nullptr) return;
    reader_.KnownKeys(*table, {"syscall", "arch", "action", "errno", "reason", "when"});
    Rule rule;
    rule.where = TomlReader::Where(node);
    rule.syscall = reader_.Text(*table, "syscall");
    rule.architectures = Architectures(*table);
    reader_.Text(*table, "reason");
    const std::string action = reader_.Text(*table, "action");
    rule.action = action == "errno" ? Action::kErrno : Action::kAllow;
    rule.errno_value = reader_.ErrnoValue(*table, "errno", 0);
    if (action != "allow" && action != "errno") {
      reader_.Fault(rule.where,
                    "`action` must be \"allow\" or \"errno\"; what is neither is refused anyway.");
    }
    if ((rule.action == Action::kErrno) != (rule.errno_value != 0)) {
      reader_.Fault(rule.where, "`errno` belongs to the action \"errno\", and to no other.");
    }
    rule.alternatives = {{}};
    if (const toml::node* when = table->get("when")) {
      AddConditions(*when, rule);
    } else if (rule.action == Action::kAllow) {
      reader_.Fault(rule.where, "a rule that allows needs `when`; a call allowed always belongs to [allow].");
    }
    profile_.rules.push_back(std::move(rule));
  }

  // All ways to choose one comparison of each condition.
  void AddConditions(const toml::node& when, Rule& rule) {
    const toml::array* conditions = when.as_array();
    if (conditions == nullptr || conditions->empty()) {
      return reader_.Fault(TomlReader::Where(when), "`when` must be a list of conditions that is not empty.");
    }
    for (const toml::node& node : *conditions) {
      const toml::table* table = TableOf(node);
      if (table == nullptr) continue;
      std::vector<std::vector<Condition>> product;
      for (const Condition& condition : Comparisons(*table)) {
        for (std::vector<Condition> chosen : rule.alternatives) {
          chosen.push_back(condition);
          product.push_back(std::move(chosen));
        }
      }
      rule.alternatives = std::move(product);
    }
  }

  std::vector<Condition> Comparisons(const toml::table& table) {
    reader_.KnownKeys(table, {"argument", "mask", "equals", "ranges"});
    const std::string where = TomlReader::Where(table);
    std::vector<Condition> out;
    const auto argument = reader_.Number(table, "argument");
    if (!argument || *argument > 5) {
      reader_.Fault(where, "`argument` must be a number from 0 to 5.");
      return out;
    }
    const auto index = static_cast<unsigned>(*argument);
    // "all": a pointer, whose upper half counts.
    const bool whole = table["mask"].value_or(std::string_view()) == "all";
    const std::uint64_t mask = whole ? ~std::uint64_t{0} : reader_.Number(table, "mask").value_or(kLowHalf);
    if (const toml::table* names = table["equals"].as_table()) {
      for (const auto& [name, node] : *names) out.push_back({index, mask, reader_.Number(node).value_or(0)});
    } else if (table.contains("equals")) {
      out.push_back({index, mask, reader_.Number(table, "equals").value_or(0)});
    }
    if (const toml::array* ranges = table["ranges"].as_array()) {
      if (mask != kLowHalf) reader_.Fault(where, "`ranges` and `mask` do not go together.");
      for (const toml::node& node : *ranges) AddRangeOf(index, node, out);
    }
    for (const Condition& condition : out) {
      if ((condition.value & ~condition.mask) != 0) {
        reader_.Fault(where, "a value has bits outside of `mask`, so it never matches.");
      }
    }
    if (out.empty()) reader_.Fault(where, "`equals` or `ranges` is missing; add one.");
    return out;
  }

  void AddRangeOf(unsigned argument, const toml::node& node, std::vector<Condition>& out) {
    const toml::array* range = node.as_array();
    const auto first = range != nullptr && range->size() == 2 ? reader_.Number((*range)[0]) : std::nullopt;
    const auto last = range != nullptr && range->size() == 2 ? reader_.Number((*range)[1]) : std::nullopt;
    if (!first || !last || *first > *last) {
      return reader_.Fault(TomlReader::Where(node), "a range is [first, last].");
    }
    AddRange(argument, *first, *last, out);
  }

  void AddFamily(const std::string& name, const toml::table& table, bool with_syscalls) {
    reader_.KnownKeys(table, {"syscalls", "arch", "reason", "remedy", "answer", "argument", "argument_names",
                              "argument_flags"});
    Family family;
    family.name = name;
    family.where = TomlReader::Where(table);
    family.reason = reader_.Text(table, "reason");
    family.remedy = reader_.Text(table, "remedy");
    family.architectures = Architectures(table);
    family.answer = reader_.ErrnoValue(table, "answer", EPERM);
    if (const auto argument = reader_.Number(table, "argument"))
      family.argument = static_cast<int>(*argument);
    if (family.argument > 5) reader_.Fault(family.where, "`argument` must be a number from 0 to 5.");
    for (const char* key : {"argument_names", "argument_flags"}) {
      const toml::table* names = table[key].as_table();
      if (names == nullptr) continue;
      family.flags = key == std::string_view("argument_flags");
      for (const auto& [label, node] : *names) {
        family.argument_names.emplace_back(label.str(), reader_.Number(node).value_or(0));
      }
    }
    family.syscalls = reader_.Texts(table, "syscalls");
    if (with_syscalls && family.syscalls.empty()) {
      reader_.Fault(family.where, "`syscalls` is missing; add it.");
    }
    profile_.families.push_back(std::move(family));
  }

  void AddNewer(const std::string& name, const toml::node& node) {
    const toml::table* table = TableOf(node);
    if (table == nullptr) return;
    reader_.KnownKeys(*table, {"number", "report", "reason"});
    NewerCall call{name, 0, true, reader_.Text(*table, "reason"), TomlReader::Where(node)};
    call.number = static_cast<int>(reader_.Number(*table, "number").value_or(0));
    call.report = (*table)["report"].value_or(true);
    if (call.number < 424 || call.number > 1000) {
      reader_.Fault(call.where,
                    "`number` must be one of the numbers that are the same everywhere, 424 and up.");
    }
    profile_.newer.push_back(std::move(call));
  }

  void CheckDuplicates() {
    std::map<std::string, std::string> always;
    std::map<std::string, std::string> sometimes;
    for (const Rule& rule : profile_.rules) {
      const bool unconditional = rule.alternatives.size() == 1 && rule.alternatives[0].empty();
      const auto seen = always.find(rule.syscall);
      const auto other = unconditional ? sometimes.find(rule.syscall) : sometimes.end();
      if (seen != always.end() || other != sometimes.end()) {
        const std::string& place = seen != always.end() ? seen->second : other->second;
        reader_.Fault(rule.where,
                      "`" + rule.syscall + "` is decided twice (also at " + place + "); keep one.");
      }
      (unconditional ? always : sometimes).emplace(rule.syscall, rule.where);
    }
    std::map<std::string, std::string> denied;
    for (const Family& family : profile_.families) {
      for (const std::string& syscall : family.syscalls) {
        if (const auto allowed = always.find(syscall); allowed != always.end()) {
          reader_.Fault(family.where, "`" + syscall + "` is in [denied." + family.name + "] and decided at " +
                                          allowed->second + "; keep one.");
        }
        if (const auto [other, added] = denied.emplace(syscall, family.where); !added) {
          reader_.Fault(family.where,
                        "`" + syscall + "` is also in the family at " + other->second + "; keep one.");
        }
      }
    }
    std::set<int> numbers;
    for (const NewerCall& call : profile_.newer) {
      if (!numbers.insert(call.number).second) {
        reader_.Fault(call.where, "another call of [newer] has this number; correct one.");
      }
    }
  }

  TomlReader reader_;
  Profile profile_;
};

}  // namespace

Profile LoadProfile(const std::string& allowed, const std::string& refusals,
                    std::vector<std::string>& errors) {
  try {
    const toml::table root = toml::parse_file(allowed);
    Loader loader(errors);
    const auto base = root["profile"]["base"].value<std::string>();
    if (!base) return loader.Load(root, toml::parse_file(refusals));
    // Named beside the file itself.
    const std::string folder = allowed.substr(0, allowed.rfind('/') + 1);
    const std::string base_refusals = root["profile"]["base_refusals"].value_or(std::string());
    (void)loader.Load(toml::parse_file(folder + *base), toml::parse_file(folder + base_refusals));
    return loader.Narrow(root, toml::parse_file(refusals));
  } catch (const toml::parse_error& error) {
    const std::string path = error.source().path ? *error.source().path : allowed;
    errors.push_back(path + ":" + std::to_string(error.source().begin.line) + ": " +
                     std::string(error.description()));
    return {};
  }
}

}  // namespace casemate::seccomp_tool
