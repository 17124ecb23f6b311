// link: surfaces_cli base
// File names and displays of a program, written into a folder that has links out of it: nothing outside is
// ever changed, and what was written is a regular file. The input is names and base64, each ended by NUL.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include "scratch_folder.h"
#include "surfaces/cli/output_folder.h"

namespace {

namespace fs = std::filesystem;

void Require(bool holds) {
  if (!holds) std::abort();
}

// ROOT/outside/secret is what must stay; ROOT/out is written to, made anew for each input.
class Tree {
 public:
  Tree() : root_(folder_.path()) {
    fs::create_directory(root_ / "outside");
    std::ofstream(root_ / "outside" / "secret") << "kept";
  }

  fs::path out() const { return root_ / "out"; }

  void Renew() const {
    fs::remove_all(out());
    fs::create_directories(out() / "folder");
    fs::create_directory_symlink(root_ / "outside", out() / "link");
    fs::create_symlink(root_ / "outside" / "secret", out() / "secret");
  }

  void CheckOutside() const {
    Require(std::distance(fs::directory_iterator(root_), {}) == 2);
    Require(std::distance(fs::directory_iterator(root_ / "outside"), {}) == 1);
    std::ifstream secret(root_ / "outside" / "secret");
    Require(std::string(std::istreambuf_iterator<char>(secret), {}) == "kept");
  }

 private:
  ScratchFolder folder_;
  fs::path root_;
};

casemate::ExecutionResult Result(std::string_view input) {
  casemate::ExecutionResult result;
  for (bool is_name = true; !input.empty(); is_name = !is_name) {
    const std::string part(input.substr(0, input.find('\0')));
    input.remove_prefix(std::min(part.size() + 1, input.size()));
    if (is_name) {
      result.files.push_back({part, 1, "x", false});
    } else {
      result.displays.push_back({{{"image/png", part}, {"text/html", part}}});
    }
  }
  return result;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Tree tree;
  if (size == 0) return 0;
  const auto result = Result({reinterpret_cast<const char*>(data + 1), size - 1});
  tree.Renew();
  auto folder = casemate::OutputFolder::Open(tree.out().string(), data[0] % 2 == 1);
  Require(folder.has_value());
  const casemate::WrittenOutput written = casemate::WriteOutput(result, *folder);
  tree.CheckOutside();
  Require(written.names.size() + written.problems.size() == result.files.size() + 2 * result.displays.size());
  for (const std::string& name : written.names) {
    Require(fs::symlink_status(tree.out() / name).type() == fs::file_type::regular);
    Require(fs::weakly_canonical(tree.out() / name).string().starts_with(tree.out().string() + "/"));
  }
  return 0;
}
