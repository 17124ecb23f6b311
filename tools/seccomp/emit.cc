#include "emit.h"

#include <cctype>

namespace casemate::seccomp_tool {
namespace {

std::string Quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

// "x86_64" -> "X8664": a part of the generated function's name.
std::string Camel(const std::string& name) {
  std::string out;
  bool upper = true;
  for (const char c : name) {
    if (c == '_') {
      upper = true;
      continue;
    }
    out += upper ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
    upper = false;
  }
  return out;
}

std::string Program(const std::string& name, const std::vector<sock_filter>& program) {
  std::string out = "constexpr sock_filter " + name + "[] = {\n";
  for (const sock_filter& step : program) {
    out += "    {" + std::to_string(step.code) + ", " + std::to_string(step.jt) + ", " +
           std::to_string(step.jf) + ", " + std::to_string(step.k) + "U},\n";
  }
  return out + "};\n\n";
}

// One text and offsets into it: pointers would each cost a relocation at the start of the binary.
std::string Names(const Compiled& compiled) {
  std::string text = "constexpr char kNames[] =\n    \"\\0\"\n";
  std::string offsets = "constexpr std::uint16_t kNameOffsets[] = {";
  std::size_t offset = 1;
  for (const std::string& name : compiled.names) {
    offsets += std::to_string(name.empty() ? 0 : offset) + ",";
    if (name.empty()) continue;
    text += "    \"" + name + "\\0\"\n";
    offset += name.size() + 1;
  }
  return text + "    ;\n" + offsets + "};\n\n";
}

std::string Families(const Compiled& compiled) {
  std::string labels;
  std::string table = "constexpr SeccompFamily kFamilies[] = {\n";
  for (std::size_t index = 0; index < compiled.families.size(); ++index) {
    const Family& family = compiled.families[index];
    std::string span = "{}";
    if (!family.argument_names.empty()) {
      span = "kLabels" + std::to_string(index);
      labels += "constexpr SeccompArgumentName " + span + "[] = {\n";
      for (const auto& [label, value] : family.argument_names) {
        labels += "    {" + Quoted(label) + ", " + std::to_string(value) + "U},\n";
      }
      labels += "};\n";
    }
    table += "    {" + Quoted(family.reason) + ",\n     " + Quoted(family.remedy) + ",\n     " +
             std::to_string(family.answer) + ", " + std::to_string(family.argument) + ", " +
             (family.flags ? "true" : "false") + ", " + (family.name.empty() ? "false" : "true") + ", " +
             span + "},\n";
  }
  table += "};\nconstexpr std::uint8_t kFamilyOf[] = {";
  for (const std::uint8_t family : compiled.family_of) table += std::to_string(family) + ",";
  return labels + "\n" + table + "};\n\n";
}

}  // namespace

std::string EmitSource(const Profile& profile, const Compiled& compiled,
                       const std::vector<sock_filter>& standalone) {
  const std::string function = Camel(profile.name) + "Seccomp" + Camel(compiled.architecture);
  return "// Made by tools/seccomp from profiles/seccomp/" + profile.name + ".toml.\n" +
         "#include \"confine/seccomp_tables.h\"\n\nnamespace casemate {\nnamespace {\n\n" +
         Program("kProgram", compiled.program) + Program("kStandalone", standalone) + Names(compiled) +
         Families(compiled) + "constexpr SeccompTables kTables = {\n    " +
         std::to_string(compiled.audit_architecture) +
         "U, kProgram, kStandalone, kNames, kNameOffsets, kFamilyOf, kFamilies, " +
         std::to_string(compiled.connect_number) + ", " + std::to_string(compiled.socket_number) +
         "};\n\n}  // namespace\n\nconst SeccompTables& " + function +
         "() { return kTables; }\n\n}  // namespace casemate\n";
}

}  // namespace casemate::seccomp_tool
