#include "environments/build/wheel.h"

#include <archive_entry.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "base/file.h"
#include "environments/build/archive_reader.h"
#include "environments/requirements.h"

namespace casemate {
namespace {

constexpr std::string_view kShebang = "#!/usr/bin/env python3\n";
constexpr std::size_t kEntryPointsMax = 1 << 20;

std::unexpected<Error> Hostile(std::string message) {
  return Fail(ErrorCode::kInvalidRequest, std::move(message));
}

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r";
  const std::size_t start = text.find_first_not_of(kSpace);
  if (start == std::string_view::npos) return {};
  return text.substr(start, text.find_last_not_of(kSpace) - start + 1);
}

bool IsDotted(std::string_view name) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
  };
  return !name.empty() && !(name.front() >= '0' && name.front() <= '9') && std::ranges::all_of(name, plain);
}

bool IsScriptName(std::string_view name) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-';
  };
  return !name.empty() && name.size() <= 100 && name.front() != '.' && name.front() != '-' &&
         std::ranges::all_of(name, plain);
}

// Where an installer puts an entry; "" for what only an installer reads.
std::string PlaceOf(const std::string& path) {
  const std::size_t slash = path.find('/');
  const std::string_view top = std::string_view(path).substr(0, slash);
  if (!top.ends_with(".data") || slash == std::string::npos) return "site/" + path;
  const std::string_view rest = std::string_view(path).substr(slash + 1);
  const std::size_t end = rest.find('/');
  if (end == std::string_view::npos) return {};
  const std::string_view scheme = rest.substr(0, end);
  const std::string_view below = rest.substr(end + 1);
  if (scheme == "purelib" || scheme == "platlib") return fmt::format("site/{}", below);
  if (scheme == "scripts") return fmt::format("bin/{}", below);
  if (scheme == "data") return fmt::format("data/{}", below);
  if (scheme == "headers") return fmt::format("data/include/{}", below);
  return {};
}

class WheelUnpacker {
 public:
  WheelUnpacker(int tree, const TreeLimits& limits) : writer_(tree, TreeLinks::kNone, limits) {}

  Expected<void> Unpack(int wheel) {
    auto reader = ArchiveReader::Open(wheel, ArchiveReader::Format::kZip);
    if (!reader) return std::unexpected(reader.error());
    for (;;) {
      auto entry = reader->Next();
      if (!entry) return std::unexpected(entry.error());
      if (*entry == nullptr) break;
      if (auto done = Take(*reader, *entry); !done) return done;
    }
    if (!has_info_) return Hostile("the wheel has no .dist-info folder, so it is none");
    return WriteScripts();
  }

 private:
  Expected<void> Take(ArchiveReader& reader, archive_entry* entry) {
    const char* const raw = archive_entry_pathname(entry);
    const std::string_view name = raw != nullptr ? raw : "";
    const bool plain = std::ranges::all_of(name, [](char c) {
      return static_cast<unsigned char>(c) >= 0x20 && c != '\\' && static_cast<unsigned char>(c) != 0x7f;
    });
    if (name.empty() || !plain) return Hostile("the wheel has a name with a control character or backslash");
    auto path = TreeWriter::CheckPath(name);
    if (!path) return std::unexpected(path.error());
    const mode_t type = archive_entry_filetype(entry);
    if (archive_entry_hardlink(entry) != nullptr || (type != AE_IFREG && type != AE_IFDIR)) {
      return Hostile(fmt::format("the wheel has {} as a link or device", *path));
    }
    const std::string place = PlaceOf(*path);
    if (place.empty()) return {};
    if (type == AE_IFDIR) return writer_.Folder(place, 0755);
    has_info_ = has_info_ || path->find(".dist-info/") != std::string::npos;
    return Copy(reader, place, (archive_entry_perm(entry) & 0111) != 0);
  }

  Expected<void> Copy(ArchiveReader& reader, const std::string& place, bool executable) {
    const bool script = place.starts_with("bin/");
    auto file = writer_.File(place, script || executable ? 0555 : 0444, false);
    if (!file) return std::unexpected(file.error());
    const bool entry_points = place.ends_with(".dist-info/entry_points.txt");
    bool first = true;
    return reader.Read([&](std::string_view block, std::int64_t /*offset*/) -> Expected<void> {
      if (auto counted = writer_.Count(static_cast<std::int64_t>(block.size()), 0); !counted) return counted;
      if (entry_points && entry_points_.size() + block.size() <= kEntryPointsMax) entry_points_ += block;
      // "#!python" stands for the interpreter that it is installed for.
      if (std::exchange(first, false) && script && block.starts_with("#!python")) {
        if (auto done = WriteAll(file->get(), kShebang, place); !done) return done;
        block.remove_prefix(std::min(block.find('\n'), block.size() - 1) + 1);
      }
      return WriteAll(file->get(), block, place);
    });
  }

  Expected<void> WriteScripts() {
    for (const auto& [name, text] : ConsoleScripts(entry_points_)) {
      auto file = writer_.File("bin/" + name, 0555, true);
      if (!file) return std::unexpected(file.error());
      if (auto done = WriteAll(file->get(), text, name); !done) return done;
    }
    return {};
  }

  TreeWriter writer_;
  bool has_info_ = false;
  std::string entry_points_;
};

}  // namespace

Expected<LockedWheel> ParseWheelName(std::string_view file) {
  std::vector<std::string_view> parts;
  const bool plain =
      std::ranges::all_of(file, [](char c) { return static_cast<unsigned char>(c) > 0x20 && c != '/'; });
  std::string_view rest = file;
  if (plain && file.size() <= 255 && rest.ends_with(".whl")) {
    rest.remove_suffix(4);
    for (std::size_t dash = rest.find('-'); dash != std::string_view::npos; dash = rest.find('-')) {
      parts.push_back(rest.substr(0, dash));
      rest.remove_prefix(dash + 1);
    }
    parts.push_back(rest);
  }
  const bool full = std::ranges::none_of(parts, [](std::string_view part) { return part.empty(); });
  if ((parts.size() != 5 && parts.size() != 6) || !full) {
    return Hostile(fmt::format("{} is no wheel's file name", file.substr(0, 200)));
  }
  return LockedWheel{NormalizedName(parts[0]), std::string(parts[1]), std::string(file), ""};
}

Expected<void> UnpackWheel(int wheel, int tree, const TreeLimits& limits) {
  return WheelUnpacker(tree, limits).Unpack(wheel);
}

std::vector<std::pair<std::string, std::string>> ConsoleScripts(std::string_view entry_points) {
  std::vector<std::pair<std::string, std::string>> scripts;
  bool wanted = false;
  while (!entry_points.empty()) {
    const std::size_t newline = std::min(entry_points.find('\n'), entry_points.size());
    const std::string_view line = Trim(entry_points.substr(0, newline));
    entry_points.remove_prefix(std::min(newline + 1, entry_points.size()));
    if (line.starts_with('[')) wanted = line == "[console_scripts]" || line == "[gui_scripts]";
    const std::size_t equals = line.find('=');
    if (!wanted || line.starts_with('#') || equals == std::string_view::npos) continue;
    const std::string_view name = Trim(line.substr(0, equals));
    std::string_view target = Trim(line.substr(equals + 1));
    target = Trim(target.substr(0, target.find('[')));  // extras
    const std::size_t colon = target.find(':');
    if (colon == std::string_view::npos) continue;
    const std::string_view module = Trim(target.substr(0, colon));
    const std::string_view attribute = Trim(target.substr(colon + 1));
    if (!IsScriptName(name) || !IsDotted(module) || !IsDotted(attribute)) continue;
    const std::string_view head = attribute.substr(0, attribute.find('.'));
    scripts.emplace_back(std::string(name), fmt::format("{}import sys\nfrom {} import {}\nsys.exit({}())\n",
                                                        kShebang, module, head, attribute));
  }
  return scripts;
}

}  // namespace casemate
