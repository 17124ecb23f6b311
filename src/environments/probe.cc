#include "environments/probe.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdlib>

#include "base/command.h"

namespace casemate {
namespace {

constexpr std::string_view kFirstLine = "casemate-probe 1";
constexpr std::string_view kLastLine = "casemate-probe end";
constexpr int kOldestMinor = 8;  // of Python 3: the oldest that the harness is written for

// One "key value" line each. The extension modules are loaded for the sake of /proc/self/maps: they show
// where an interpreter outside /usr has its libraries.
constexpr char kScript[] = R"py(
import os, sys
out = []
def put(key, value):
    data = os.fsencode(value)
    if value and b"\n" not in data:
        out.append(key.encode() + b" " + data)
for name in ("ctypes", "ssl", "sqlite3", "bz2", "lzma", "zlib", "decimal", "hashlib", "pyexpat", "readline"):
    try:
        __import__(name)
    except Exception:
        pass
executable = sys.executable or ""
put("executable", executable)
put("prefix", sys.prefix)
put("version", "%d.%d.%d" % sys.version_info[:3])
for program in (executable, getattr(sys, "_base_executable", None) or executable):
    put("program", program)
    put("watch", program)
for prefix in (sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix):
    put("root", prefix)
    put("watch", os.path.join(prefix, "pyvenv.cfg"))
for entry in sys.path:
    if os.path.isabs(entry) and os.path.exists(entry):
        put("path", entry)
    if os.path.isabs(entry):
        put("watch", entry)
try:
    import site
    folders = site.getsitepackages()
except Exception:
    folders = []
for folder in folders:
    put("watch", folder)
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        names = []
    for name in names:
        if name.endswith(".pth"):
            put("watch", os.path.join(folder, name))
with open("/proc/self/maps", "rb") as maps:
    for line in maps:
        fields = line.rstrip(b"\n").split(None, 5)
        if len(fields) == 6 and fields[5].startswith(b"/") and b".so" in os.path.basename(fields[5]):
            put("library", os.fsdecode(fields[5]))
sys.stdout.buffer.write(b"casemate-probe 1\n" + b"\n".join(out) + b"\ncasemate-probe end\n")
)py";

std::unexpected<Error> Unusable(const std::string& interpreter, std::string_view why,
                                std::string cause = {}) {
  return Fail(
      ErrorCode::kUnavailable,
      fmt::format("{} cannot be used as the interpreter, because it {}: name another with --python or "
                  "CASEMATE_PYTHON",
                  interpreter, why),
      std::move(cause));
}

void AddOnce(std::vector<std::string>& list, std::string_view value) {
  for (const std::string& present : list) {
    if (present == value) return;
  }
  list.emplace_back(value);
}

// "key value" into its field; false for what no probe of ours prints.
bool TakeLine(std::string_view line, ProbeReport& report) {
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos) return false;
  const std::string_view key = line.substr(0, space);
  const std::string_view value = line.substr(space + 1);
  if (key == "version") {
    report.version = value;
    return true;
  }
  if (!value.starts_with('/')) return false;
  if (key == "executable") {
    report.executable = value;
  } else if (key == "prefix") {
    report.prefix = value;
  } else if (key == "program") {
    AddOnce(report.programs, value);
  } else if (key == "root") {
    AddOnce(report.prefixes, value);
  } else if (key == "path") {
    AddOnce(report.sys_path, value);
  } else if (key == "library") {
    AddOnce(report.libraries, value);
  } else if (key == "watch") {
    AddOnce(report.watch, value);
  } else {
    return false;
  }
  return true;
}

bool IsNewEnough(std::string_view version) {
  if (!version.starts_with("3.")) return false;
  int minor = 0;
  const std::string_view rest = version.substr(2);
  const auto parsed = std::from_chars(rest.data(), rest.data() + rest.size(), minor);
  return parsed.ec == std::errc() && minor >= kOldestMinor;
}

std::string LastLine(std::string_view text) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  const std::size_t newline = text.rfind('\n');
  return std::string(text.substr(newline == std::string_view::npos ? 0 : newline + 1).substr(0, 200));
}

}  // namespace

std::string_view ProbeScript() { return kScript; }

const std::vector<std::string>& SelectorVariables() {
  static const std::vector<std::string> variables = {
      "PATH",                 // a shim looks for the next python3 there
      "HOME",                 // where version managers keep their versions
      "PYENV_ROOT",           // pyenv
      "PYENV_VERSION",        // pyenv
      "ASDF_DATA_DIR",        // asdf
      "ASDF_PYTHON_VERSION",  // asdf
      "MISE_DATA_DIR",        // mise
      "MISE_PYTHON_VERSION",  // mise
  };
  return variables;
}

const std::vector<std::string>& SelectorFiles() {
  static const std::vector<std::string> files = {
      ".python-version",  // pyenv
      ".tool-versions",   // asdf, mise
      "mise.toml",        // mise
  };
  return files;
}

Expected<ProbeReport> ParseProbeOutput(std::string_view output, const std::string& interpreter) {
  ProbeReport report;
  bool started = false;
  bool ended = false;
  // A wrapper or a sitecustomize may print lines of its own before ours.
  while (!output.empty() && !ended) {
    const std::size_t newline = output.find('\n');
    const std::string_view line = output.substr(0, newline);
    output = newline == std::string_view::npos ? std::string_view() : output.substr(newline + 1);
    if (!started) {
      started = line == kFirstLine;
    } else if (line == kLastLine) {
      ended = true;
    } else if (!TakeLine(line, report)) {
      return Unusable(interpreter, "describes itself in a way that makes no sense");
    }
  }
  if (!started || !ended) return Unusable(interpreter, "does not run Python code");
  if (!IsNewEnough(report.version)) {
    return Unusable(interpreter,
                    fmt::format("is Python {} and Casemate needs 3.{} or later",
                                report.version.empty() ? "of no version" : report.version, kOldestMinor));
  }
  if (report.executable.empty() || report.prefix.empty() || report.prefixes.empty() ||
      report.sys_path.empty()) {
    return Unusable(interpreter, "does not know its own path or standard library");
  }
  return report;
}

Expected<ProbeReport> Probe(const std::string& interpreter, std::int64_t timeout_ms) {
  CommandOptions options;
  options.timeout_ms = timeout_ms;
  for (const std::string& name : SelectorVariables()) {
    if (name == "PATH") continue;  // RunCommand passes it on by itself
    if (const char* value = std::getenv(name.c_str()); value != nullptr) options.env[name] = value;
  }
  auto answer = RunCommand({interpreter, "-I", "-c", kScript}, options);
  if (!answer) return Unusable(interpreter, "did not answer", answer.error().ToString());
  if (answer->exit_code != 0) {
    return Unusable(interpreter,
                    fmt::format("ended with exit code {} when asked for its paths", answer->exit_code),
                    LastLine(answer->err));
  }
  return ParseProbeOutput(answer->out, interpreter);
}

}  // namespace casemate
