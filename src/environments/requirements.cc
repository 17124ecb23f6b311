#include "environments/requirements.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

namespace casemate {
namespace {

constexpr int kDepthMax = 10;
constexpr std::size_t kLinesMax = 20'000;
constexpr std::size_t kBytesMax = 4 << 20;
constexpr std::string_view kSpace = " \t\r\f\v";

bool IsNameStart(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}
bool IsNameChar(char c) { return IsNameStart(c) || c == '-' || c == '_' || c == '.'; }

std::string_view Trim(std::string_view text) {
  const std::size_t start = text.find_first_not_of(kSpace);
  if (start == std::string_view::npos) return {};
  return text.substr(start, text.find_last_not_of(kSpace) - start + 1);
}

// A "#" at the start or after a space begins a comment.
std::string_view WithoutComment(std::string_view line) {
  for (std::size_t at = line.find('#'); at != std::string_view::npos; at = line.find('#', at + 1)) {
    if (at == 0 || kSpace.contains(line[at - 1])) return line.substr(0, at);
  }
  return line;
}

bool IsPlain(std::string_view line) {
  return std::ranges::all_of(line, [](char c) { return static_cast<unsigned char>(c) >= 0x20 || c == '\t'; });
}

// "requests" of "requests[socks]>=2".
std::string_view NameOf(std::string_view line) {
  std::size_t end = 0;
  while (end < line.size() && IsNameChar(line[end])) ++end;
  return line.substr(0, end);
}

bool IsArchive(std::string_view name) {
  constexpr std::array<std::string_view, 9> kSuffixes = {".whl",     ".zip", ".tar", ".tar.gz", ".tgz",
                                                         ".tar.bz2", ".tbz", ".egg", ".tar.xz"};
  return std::ranges::any_of(kSuffixes, [name](std::string_view suffix) { return name.ends_with(suffix); });
}

// Why a requirement is none that only downloads a wheel; nullopt when it is one.
std::optional<std::string_view> Objection(std::string_view line) {
  const std::string_view name = NameOf(line);
  if (line.starts_with('.') || line.starts_with('/') || line.starts_with('~')) {
    return "is a path, and installing from it would run its code outside of a sandbox: publish it as a "
           "wheel, or put the folder into the workspace";
  }
  // A marker may have any text in quotes.
  const std::string_view before = line.substr(0, line.find(';'));
  if (before.contains("://") || before.contains('@')) {
    return "is an address, which may hold code that runs when it is installed: name a version of the index";
  }
  if (name.empty() || !IsNameStart(name.front()) || !IsNameStart(name.back())) {
    return "does not begin with the name of a package";
  }
  if (before.contains('/') || before.contains('\\') || IsArchive(name)) {
    return "is a path, and installing from it may run its code outside of a sandbox: name a version of the "
           "index";
  }
  const std::string_view rest = Trim(before.substr(name.size()));
  if (!rest.empty() && !std::string_view("[<>=!~(").contains(rest.front())) {
    return "has something else than extras or a version behind its name";
  }
  return std::nullopt;
}

bool IsHash(std::string_view word) {
  constexpr std::string_view kPrefix = "sha256:";
  if (!word.starts_with(kPrefix) || word.size() != kPrefix.size() + 64) return false;
  return std::ranges::all_of(word.substr(kPrefix.size()), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
  });
}

class Parser {
 public:
  explicit Parser(const RequirementsReader& read) : read_(read) {}

  Expected<void> File(std::string_view text, const std::string& name, bool constraints, int depth) {
    if (depth > kDepthMax) return At(name, 1, "is included more than ten files deep");
    bytes_ += text.size();
    if (bytes_ > kBytesMax) return At(name, 1, "and its includes have more than 4 MiB");
    if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
    std::size_t number = 0;
    while (!text.empty()) {
      std::size_t first = number + 1;
      const std::string line = TakeLogicalLine(text, number);
      const std::string_view trimmed = Trim(WithoutComment(line));
      if (trimmed.empty()) continue;
      if (++lines_ > kLinesMax) return At(name, first, "is one line too many");
      if (!IsPlain(trimmed)) return At(name, first, "has a control character in it");
      auto done = trimmed.starts_with('-') ? Option(trimmed, name, first, constraints, depth)
                                           : Requirement(trimmed, name, first, constraints);
      if (!done) return done;
    }
    return {};
  }

  Expected<void> Requirement(std::string_view line, const std::string& name, std::size_t number,
                             bool constraints) {
    const std::size_t options = std::min(line.find(" --"), line.size());
    const std::string_view what = Trim(line.substr(0, options));
    if (const auto objection = Objection(what)) {
      return At(name, number, fmt::format("({}) {}", what.substr(0, 100), *objection));
    }
    std::string whole(what);
    std::string_view rest = line.substr(options);
    bool hashed = false;
    while (!(rest = Trim(rest)).empty()) {
      constexpr std::string_view kFlag = "--hash";
      const std::size_t end = std::min(rest.find_first_of(" \t="), rest.size());
      if (rest.substr(0, end) != kFlag || end == rest.size()) {
        return At(name, number,
                  fmt::format("has {}: only --hash may follow a requirement", rest.substr(0, end)));
      }
      rest = Trim(rest.substr(end + 1));
      const std::string_view hash = rest.substr(0, rest.find_first_of(kSpace));
      if (!IsHash(hash)) return At(name, number, "has a hash that is not sha256: and 64 digits");
      whole += fmt::format(" --hash={}", hash);
      rest.remove_prefix(hash.size());
      hashed = true;
    }
    if (!constraints) all_hashed_ = all_hashed_ && hashed && what.contains("==");
    (constraints ? found_.constraints : found_.lines).push_back(std::move(whole));
    return {};
  }

  Requirements Take() {
    found_.hashed = all_hashed_ && !found_.lines.empty();
    return std::move(found_);
  }

 private:
  static std::unexpected<Error> At(const std::string& name, std::size_t number, std::string_view what) {
    return Fail(ErrorCode::kInvalidRequest, fmt::format("{}:{} {}", name, number, what));
  }

  static std::string TakeLogicalLine(std::string_view& text, std::size_t& number) {
    std::string line;
    for (bool more = true; more && !text.empty();) {
      const std::size_t newline = text.find('\n');
      std::string_view part = text.substr(0, newline);
      text = newline == std::string_view::npos ? std::string_view() : text.substr(newline + 1);
      ++number;
      if (part.ends_with('\r')) part.remove_suffix(1);
      const bool comment = Trim(part).starts_with('#');
      more = part.ends_with('\\') && !comment;
      if (more) part.remove_suffix(1);
      line += comment ? WithoutComment(part) : part;
      if (more) line += ' ';
    }
    return line;
  }

  Expected<void> Option(std::string_view line, const std::string& name, std::size_t number, bool constraints,
                        int depth) {
    const std::size_t end = std::min(line.find_first_of(" \t="), line.size());
    std::string_view flag = line.substr(0, end);
    std::string_view value = end == line.size() ? std::string_view() : Trim(line.substr(end + 1));
    if (!flag.starts_with("--") && flag.size() > 2) {
      value = Trim(line.substr(2));
      flag = flag.substr(0, 2);
    }
    const bool more = flag == "-r" || flag == "--requirement";
    if (more || flag == "-c" || flag == "--constraint") {
      if (value.empty()) return At(name, number, fmt::format("{} names no file", flag));
      const std::string folder = value.starts_with('/') ? "" : name.substr(0, name.rfind('/') + 1);
      const std::string path = fmt::format("{}{}", folder, value);
      auto text = read_(path);
      if (!text) return At(name, number, fmt::format("{} {}: {}", flag, path, text.error().message));
      return File(*text, path, constraints || !more, depth + 1);
    }
    if (flag == "--pre" || flag == "--prefer-binary") {
      if (std::ranges::find(found_.options, flag) == found_.options.end()) found_.options.emplace_back(flag);
      return {};
    }
    if (flag == "--require-hashes" || flag == "--only-binary") return {};  // always so, or by the hashes
    if (flag == "-e" || flag == "--editable" || flag == "--no-binary") {
      return At(
          name, number,
          fmt::format("{} would run the package's own code while it is installed, outside of a sandbox: "
                      "name a version that has a wheel",
                      flag));
    }
    if (flag == "-i" || flag == "--index-url" || flag == "--extra-index-url" || flag == "-f" ||
        flag == "--find-links" || flag == "--trusted-host") {
      return At(name, number,
                fmt::format("{} sends this host to a server of the file's choice: give casemate env build "
                            "--index-url yourself, if you trust it, and remove the line",
                            flag));
    }
    return At(name, number, fmt::format("has the option {}, which is not known", flag));
  }

  const RequirementsReader& read_;
  Requirements found_;
  std::size_t bytes_ = 0;
  std::size_t lines_ = 0;
  bool all_hashed_ = true;
};

}  // namespace

Expected<Requirements> ParseRequirements(std::string_view text, const std::string& name,
                                         const RequirementsReader& read) {
  Parser parser(read);
  if (auto done = parser.File(text, name, false, 0); !done) return std::unexpected(done.error());
  return parser.Take();
}

Expected<Requirements> ParsePackageList(std::string_view list) {
  // A line of its own could be an option.
  if (!IsPlain(list)) {
    return Fail(ErrorCode::kInvalidRequest, "the list of packages has a control character in it");
  }
  const RequirementsReader none = [](const std::string&) { return Expected<std::string>(); };
  Parser parser(none);
  while (!list.empty()) {
    std::size_t end = list.find(',');
    // "pandas[a,b]>=2,<3": a comma in brackets or before a comparison does not end an item.
    while (end != std::string_view::npos) {
      const std::string_view before = list.substr(0, end);
      const std::string_view after = Trim(list.substr(end + 1));
      const bool open = std::ranges::count(before, '[') > std::ranges::count(before, ']');
      if (!open && (after.empty() || !std::string_view("<>=!~").contains(after.front()))) break;
      end = list.find(',', end + 1);
    }
    const std::string_view item = Trim(list.substr(0, end));
    list = end == std::string_view::npos ? std::string_view() : list.substr(end + 1);
    if (item.empty()) return Fail(ErrorCode::kInvalidRequest, "the list of packages has an empty item");
    if (auto done = parser.Requirement(item, "packages", 1, false); !done) {
      return Fail(ErrorCode::kInvalidRequest, "the list of " + done.error().message);
    }
  }
  return parser.Take();
}

std::string NormalizedName(std::string_view name) {
  std::string normal;
  for (const char c : name) {
    const bool separator = c == '-' || c == '_' || c == '.';
    if (separator && normal.ends_with('-')) continue;
    normal += separator ? '-' : (c >= 'A' && c <= 'Z') ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return normal;
}

std::string RequirementName(std::string_view line) { return NormalizedName(NameOf(line)); }

}  // namespace casemate
