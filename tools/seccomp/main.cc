// seccomp_compiler ALLOWED.toml REFUSALS.toml FOLDER: writes FOLDER/seccomp_NAME_ARCH.cc and .json (Docker's
// form) for each architecture of the profile, and FOLDER/seccomp_NAME.json for OCI runtimes. Exits with 1,
// after one line for each fault on stderr, when the profile has any.
#include <cstdio>
#include <string>
#include <vector>

#include "compile.h"
#include "emit.h"
#include "emit_docker.h"
#include "emit_oci.h"
#include "profile.h"
#include "standalone.h"

namespace {

bool WriteText(const std::string& path, const std::string& text) {
  std::FILE* file = std::fopen(path.c_str(), "we");
  if (file == nullptr) return false;
  const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  return std::fclose(file) == 0 && written;
}

int Report(const std::vector<std::string>& errors) {
  for (const std::string& error : errors) std::fprintf(stderr, "%s\n", error.c_str());
  return errors.empty() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: seccomp_compiler ALLOWED.toml REFUSALS.toml FOLDER\n");
    return 2;
  }
  std::vector<std::string> errors;
  const auto profile = casemate::seccomp_tool::LoadProfile(argv[1], argv[2], errors);
  if (!errors.empty()) return Report(errors);
  for (const std::string& architecture : profile.architectures) {
    const auto compiled = casemate::seccomp_tool::Compile(profile, architecture, errors);
    const auto standalone =
        errors.empty() ? casemate::seccomp_tool::Standalone(compiled, errors) : std::vector<sock_filter>();
    if (!errors.empty()) return Report(errors);
    const std::string path = std::string(argv[3]) + "/seccomp_" + profile.name + "_" + architecture;
    if (!WriteText(path + ".cc", casemate::seccomp_tool::EmitSource(profile, compiled, standalone)) ||
        !WriteText(path + ".json", casemate::seccomp_tool::EmitDockerProfile(profile, compiled))) {
      errors.push_back(path + ": cannot be written; make the folder.");
    }
  }
  const std::string oci = std::string(argv[3]) + "/seccomp_" + profile.name + ".json";
  if (!WriteText(oci, casemate::seccomp_tool::EmitOci(profile))) {
    errors.push_back(oci + ": cannot be written; make the folder.");
  }
  return Report(errors);
}
