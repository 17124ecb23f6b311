#include "runtime/harness_bytecode.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "base/command.h"
#include "base/file.h"
#include "base/sha256.h"

namespace casemate {
namespace embedded {
std::string_view HarnessSource(std::string_view path);
std::string_view HarnessSourceDigest();
std::string_view RestrictedSource(std::string_view path);
std::string_view RestrictedSourceDigest();
}  // namespace embedded

namespace {

// Files that are compiled and kept together.
struct Bundle {
  std::string_view name;
  std::span<const std::string_view> files;
  std::string_view (*source)(std::string_view file);
  std::string_view (*digest)();
};

// The last kZygoteFiles are a zygote's alone.
constexpr std::array<std::string_view, 6> kHarnessFiles = {"harness",  "errors", "result_json",
                                                           "displays", "zygote", "session"};
constexpr std::array<std::string_view, 7> kRestrictedFiles = {
    "restricted", "restricted_modules", "_types", "transformer", "Guards", "Limits", "Utilities"};
constexpr std::size_t kBytecodeMax = 1 << 20;
constexpr std::size_t kDigestBytes = 64;
constexpr std::size_t kPycHeaderBytes = 16;
constexpr std::int64_t kCompileTimeoutMs = 20'000;

std::string_view Source(std::string_view name) {
  return embedded::HarnessSource(fmt::format("runtime/python/{}.py", name));
}

// RestrictedPython's own files lie beside ours: a tier's folder for them has no further ones.
std::string_view RestrictedFile(std::string_view name) {
  if (name.starts_with("restricted")) {
    return embedded::RestrictedSource(fmt::format("runtime/python/{}.py", name));
  }
  return embedded::RestrictedSource(fmt::format("{}.py", name));
}

constexpr Bundle kHarness = {"harness", kHarnessFiles, Source, embedded::HarnessSourceDigest};
constexpr Bundle kRestricted = {"restricted", kRestrictedFiles, RestrictedFile,
                                embedded::RestrictedSourceDigest};

std::vector<RootFile> Sources(const Bundle& bundle) {
  std::vector<RootFile> files;
  for (const std::string_view name : bundle.files) {
    files.push_back({fmt::format("/casemate/{}.py", name), std::string(bundle.source(name))});
  }
  return files;
}

std::optional<std::string_view> TakeBlock(std::string_view& from) {
  if (from.size() < 4) return std::nullopt;
  std::size_t size = 0;
  for (std::size_t i = 4; i-- > 0;) size = size << 8 | static_cast<unsigned char>(from[i]);
  from.remove_prefix(4);
  if (size > from.size()) return std::nullopt;
  const std::string_view block = from.substr(0, size);
  from.remove_prefix(size);
  return block;
}

// What compile_harness.py printed, as files; nullopt when it is anything else.
std::optional<std::vector<RootFile>> SplitBytecode(const Bundle& bundle, std::string_view blocks) {
  std::vector<RootFile> files;
  for (const std::string_view name : bundle.files) {
    const auto block = TakeBlock(blocks);
    if (!block || block->size() <= kPycHeaderBytes) return std::nullopt;
    files.push_back({fmt::format("/casemate/{}.pyc", name), std::string(*block)});
  }
  if (!blocks.empty()) return std::nullopt;
  return files;
}

// Everything that the bytecode depends on: the interpreter, as the file that it is now, and the harness.
std::optional<std::string> Key(const Bundle& bundle, const std::string& python) {
  struct stat info {};
  if (stat(python.c_str(), &info) != 0) return std::nullopt;
  return fmt::format("{}\n{}:{}\n{}\n{}.{}\n{}", python, info.st_dev, info.st_ino, info.st_size,
                     info.st_mtim.tv_sec, info.st_mtim.tv_nsec, bundle.digest());
}

// A kept file is the digest of what follows it, and then that.
std::optional<std::vector<RootFile>> ReadKept(const Bundle& bundle, const std::string& path) {
  const auto kept = ReadFile(path, kBytecodeMax);
  if (!kept || kept->size() < kDigestBytes) return std::nullopt;
  const std::string_view blocks = std::string_view(*kept).substr(kDigestBytes);
  if (Sha256Hex(blocks) != std::string_view(*kept).substr(0, kDigestBytes)) return std::nullopt;
  return SplitBytecode(bundle, blocks);
}

std::optional<std::string> Compile(const Bundle& bundle, const std::string& python) {
  std::vector<std::string> argv = {python, "-I", "-S", "-c", std::string(Source("compile_harness"))};
  for (const std::string_view name : bundle.files) {
    argv.emplace_back(name);
    argv.emplace_back(bundle.source(name));
  }
  auto run = RunCommand(argv, {.timeout_ms = kCompileTimeoutMs, .bytes_max = kBytecodeMax});
  if (!run || run->exit_code != 0) return std::nullopt;
  return std::move(run->out);
}

Expected<std::vector<RootFile>> AllFiles(const Bundle& bundle, const EnvironmentView& environment,
                                         const std::string& state_dir) {
  if (environment.python.empty()) {
    return Fail(
        ErrorCode::kUnavailable,
        fmt::format(
            "The environment \"{}\" has no Python 3.9 or later; install one or run a command instead.",
            environment.name));
  }
  // An image's interpreter is none that this host could ask.
  if (!environment.placed_paths.empty()) return Sources(bundle);
  const std::string& python = environment.base_python.empty() ? environment.python : environment.base_python;
  const auto key = Key(bundle, python);
  if (!key) return Sources(bundle);
  const std::string folder = state_dir + "/cache";
  const std::string path = fmt::format("{}/{}-{}.bin", folder, bundle.name, Sha256Hex(*key));
  if (auto kept = ReadKept(bundle, path)) return std::move(*kept);
  // Compiling takes longer than one run of the sources gains, so it is done only to be kept.
  if (!MakeFolders(folder, 0700) || access(folder.c_str(), W_OK) != 0) return Sources(bundle);
  const auto blocks = Compile(bundle, python);
  if (!blocks) return Sources(bundle);
  auto files = SplitBytecode(bundle, *blocks);
  if (!files) return Sources(bundle);
  // A failure to keep it costs the next run its time, and this one nothing.
  (void)WriteFileAtomically(path, Sha256Hex(*blocks) + *blocks, 0600);
  return std::move(*files);
}

}  // namespace

Expected<std::vector<RootFile>> HarnessFiles(const EnvironmentView& environment,
                                             const std::string& state_dir) {
  return AllFiles(kHarness, environment, state_dir);
}

Expected<void> CanRestrict(std::string_view python_version) {
  int major = 0;
  int minor = 0;
  const std::string_view version = python_version;
  const std::size_t dot = std::min(version.find('.'), version.size());
  std::from_chars(version.data(), version.data() + dot, major);
  if (dot < version.size()) {
    std::from_chars(version.data() + dot + 1, version.data() + version.size(), minor);
  }
  if (major > 3 || (major == 3 && minor >= 11)) return {};
  return Fail(ErrorCode::kUnavailable,
              fmt::format("Restricted programs need Python 3.11 or later and the environment has {}; name "
                          "another interpreter with --python, or use --checks checked.",
                          version.empty() ? "none" : version));
}

Expected<std::vector<RootFile>> RestrictedFiles(const EnvironmentView& environment,
                                                const std::string& state_dir) {
  if (auto can = CanRestrict(environment.python_version); !can) return std::unexpected(can.error());
  return AllFiles(kRestricted, environment, state_dir);
}

}  // namespace casemate
