#include "environments/reference.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstdlib>

namespace casemate {
namespace {

using Kind = EnvironmentReference::Kind;

struct Scheme {
  std::string_view name;
  Kind kind;
  bool path;      // what follows is a path of the host
  bool packages;  // Python packages on top of the host's interpreter
};
constexpr std::array kSchemes = {
    Scheme{"requirements", Kind::kRequirements, true, true},
    Scheme{"packages", Kind::kPackages, false, true},
    Scheme{"pyproject", Kind::kPyproject, true, true},
    Scheme{"lock", Kind::kLock, true, true},
    Scheme{"image", Kind::kImage, true, false},
    Scheme{"docker", Kind::kDocker, false, false},
    Scheme{"registry", Kind::kRegistry, false, false},
    Scheme{"rootfs", Kind::kRootfs, true, false},
    Scheme{"nix", Kind::kNix, true, false},
    Scheme{"sha256", Kind::kBuilt, false, false},
};

constexpr std::string_view kPython = "python=";
constexpr std::size_t kDigitsMin = 12;
constexpr std::size_t kDigits = 64;

std::unexpected<Error> Invalid(std::string message) {
  return Fail(ErrorCode::kInvalidRequest, std::move(message));
}

// "3.12" as the name of a program in PATH.
Expected<std::string> PythonName(std::string_view version) {
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  const bool fine = version.size() >= 3 && version.size() <= 5 && version.starts_with("3.") &&
                    std::ranges::all_of(version.substr(2), digit);
  if (!fine) return Invalid(fmt::format("\"{}\" is no version of Python; write python=3.12", version));
  return fmt::format("python{}", version);
}

Expected<void> CheckDigits(std::string_view value) {
  const bool hex =
      std::ranges::all_of(value, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  if (hex && value.size() >= kDigitsMin && value.size() <= kDigits) return {};
  return Invalid(
      fmt::format("an environment's hash is its first {} to {} digits, in lower case; "
                  "\"casemate env list\" has them",
                  kDigitsMin, kDigits));
}

// A tag may be another image tomorrow; a digest is one image for ever.
Expected<void> CheckRegistryName(std::string_view value) {
  constexpr std::string_view kDigest = "@sha256:";
  const std::size_t at = value.find(kDigest);
  const std::string_view name = value.substr(0, at);
  const std::string_view digits = at == std::string_view::npos ? "" : value.substr(at + kDigest.size());
  const auto usual = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("./-_:[]").contains(c);
  };
  if (digits.size() == kDigits && CheckDigits(digits) && !name.empty() && name.front() != '-' &&
      std::ranges::all_of(name, usual)) {
    return {};
  }
  return Invalid(
      fmt::format("\"{}\" is no image of a registry by its digest: write "
                  "registry:HOST/NAME@sha256:DIGEST, with the digest's 64 digits",
                  value));
}

}  // namespace

Expected<EnvironmentReference> ParseEnvironmentReference(std::string_view text) {
  EnvironmentReference reference;
  if (text == "host") return reference;
  const bool plain = std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) >= 0x20; });
  if (text.size() > PATH_MAX || !plain) {
    return Invalid("an environment's name is too long or has a control character in it");
  }
  if (text.starts_with(kPython)) {
    auto python = PythonName(text.substr(kPython.size()));
    if (!python) return std::unexpected(python.error());
    reference.python = *std::move(python);
    return reference;
  }
  const std::size_t colon = text.find(':');
  const auto* const scheme = std::ranges::find(kSchemes, text.substr(0, colon), &Scheme::name);
  if (colon == std::string_view::npos || scheme == kSchemes.end()) {
    return Invalid(
        fmt::format("there is no environment \"{}\"; it is host, python=3.X, requirements:FILE, "
                    "packages:NAME,…, pyproject:FILE, lock:FILE, image:FILE, docker:NAME, "
                    "registry:NAME@sha256:DIGEST, rootfs:DIR, nix:PATH or sha256:HASH",
                    text));
  }
  std::string_view value = text.substr(colon + 1);
  if (scheme->packages) {
    const std::size_t comma = value.rfind(',');
    const std::string_view last = comma == std::string_view::npos ? value : value.substr(comma + 1);
    if (comma != std::string_view::npos && last.starts_with(kPython)) {
      auto python = PythonName(last.substr(kPython.size()));
      if (!python) return std::unexpected(python.error());
      reference.python = *std::move(python);
      value = value.substr(0, comma);
    }
  }
  if (value.empty()) {
    return Invalid(fmt::format("\"{}\" says nothing behind its colon; see casemate env --help", text));
  }
  reference.kind = scheme->kind;
  reference.value = value;
  if (reference.kind == Kind::kBuilt) {
    if (auto fine = CheckDigits(value); !fine) return std::unexpected(fine.error());
  }
  if (reference.kind == Kind::kRegistry) {
    if (auto fine = CheckRegistryName(value); !fine) return std::unexpected(fine.error());
  }
  return reference;
}

std::string AbsoluteEnvironment(const std::string& text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string::npos || colon + 1 >= text.size() || text[colon + 1] == '/') return text;
  const auto* const scheme =
      std::ranges::find(kSchemes, std::string_view(text).substr(0, colon), &Scheme::name);
  if (scheme == kSchemes.end() || !scheme->path) return text;
  std::array<char, PATH_MAX> folder{};
  if (::getcwd(folder.data(), folder.size()) == nullptr) return text;
  return fmt::format("{}:{}/{}", scheme->name, folder.data(), text.substr(colon + 1));
}

std::string_view EnvironmentKindName(Kind kind) {
  const auto* const scheme = std::ranges::find(kSchemes, kind, &Scheme::kind);
  return scheme == kSchemes.end() ? "host" : scheme->name;
}

bool HasPackages(Kind kind) { return HasPackages(EnvironmentKindName(kind)); }

bool HasPackages(std::string_view kind_name) {
  const auto* const scheme = std::ranges::find(kSchemes, kind_name, &Scheme::name);
  return scheme != kSchemes.end() && scheme->packages;
}

}  // namespace casemate
