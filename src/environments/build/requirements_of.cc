#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#define TOML_HEADER_ONLY 1
#define TOML_ASSERT(expr) static_assert(true)
#include <toml++/toml.h>

#include "base/command.h"
#include "base/file.h"
#include "environments/build/resolve.h"

namespace casemate {
namespace {

using Kind = EnvironmentReference::Kind;

constexpr std::size_t kTextMax = 16 << 20;

std::string FolderOf(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, std::max<std::size_t>(slash, 1));
}

// Only what is written in it: dependencies that a build would work out need the package's own code.
Expected<Requirements> OfPyproject(const std::string& text, const std::string& name) {
  const toml::parse_result parsed = toml::parse(text);
  if (!parsed) {
    return Fail(ErrorCode::kInvalidRequest,
                fmt::format("{} is no TOML: {}", name, parsed.error().description()));
  }
  const toml::table& table = parsed.table();
  if (const toml::array* const dynamic = table["project"]["dynamic"].as_array()) {
    for (const toml::node& one : *dynamic) {
      if (one.value_or(std::string()) == "dependencies") {
        return Fail(ErrorCode::kInvalidRequest,
                    fmt::format("{} leaves its dependencies to a build, which would run its code: write them "
                                "into project.dependencies, or use requirements:FILE",
                                name));
      }
    }
  }
  const toml::array* const list = table["project"]["dependencies"].as_array();
  std::string lines;
  if (list != nullptr) {
    for (const toml::node& one : *list) lines += one.value_or(std::string("?")) + "\n";
  }
  const RequirementsReader none = [&name](const std::string& path) -> Expected<std::string> {
    return Fail(ErrorCode::kInvalidRequest, fmt::format("{} cannot include {}", name, path));
  };
  return ParseRequirements(lines, name, none);
}

std::unexpected<Error> NoUv() {
  return Fail(ErrorCode::kUnavailable,
              "a uv.lock is read by uv, which is not in PATH: install it with \"pip install uv\"");
}

// A uv.lock is for every platform at once; uv itself says what it means for this one.
Expected<Requirements> OfUvLock(const std::string& file) {
  const std::string folder = FolderOf(file);
  CommandOptions options;
  options.timeout_ms = 60'000;
  options.bytes_max = kTextMax;
  const char* home = std::getenv("HOME");  // NOLINT(concurrency-mt-unsafe): nothing sets variables
  if (home != nullptr) options.env["HOME"] = home;
  std::vector<std::string> argv = {
      "uv",          "export",        "--frozen", "--offline",        "--no-emit-project", "--no-dev",
      "--no-header", "--no-annotate", "--format", "requirements-txt", "--project",         folder};
  auto answer = RunCommand(argv, options);
  if (!answer) {
    if (answer.error().code == ErrorCode::kNotFound) return NoUv();
    return std::unexpected(answer.error());
  }
  if (answer->exit_code == 127) return NoUv();
  if (answer->exit_code != 0) {
    std::string why = answer->err.substr(0, 500);
    while (why.ends_with('\n')) why.pop_back();
    return Fail(
        ErrorCode::kInvalidRequest,
        fmt::format("uv cannot read the lock of {}: run \"uv lock\" there, and see that pyproject.toml "
                    "is beside it",
                    folder),
        why);
  }
  const RequirementsReader none = [](const std::string&) { return Expected<std::string>(); };
  return ParseRequirements(answer->out, "uv.lock", none);
}

}  // namespace

Expected<Requirements> RequirementsOf(const EnvironmentReference& reference,
                                      const EnvironmentInputs& inputs) {
  if (reference.kind == Kind::kPackages) return ParsePackageList(reference.value);
  if (reference.kind == Kind::kPyproject) return OfPyproject(inputs.text, inputs.file);
  if (reference.kind == Kind::kLock && !inputs.text.contains("--hash")) return OfUvLock(inputs.file);
  auto text = ReadFile(inputs.file, kTextMax);
  if (!text) return std::unexpected(text.error());
  const RequirementsReader read = [](const std::string& path) { return ReadFile(path, kTextMax); };
  auto parsed = ParseRequirements(*text, inputs.file, read);
  if (parsed && reference.kind == Kind::kLock && !parsed->hashed) {
    return Fail(ErrorCode::kInvalidRequest,
                fmt::format("{} is no lock: each line must pin a version with == and have its --hash; "
                            "\"casemate env lock\" writes one",
                            inputs.file));
  }
  return parsed;
}

}  // namespace casemate
