// link: confine environments base
// Texts of the host, two parts with an empty line between them: who may map which ids, where cgroups are, and
// what an interpreter says of itself. None is hostile, but all differ from host to host.
#include <fcntl.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/file.h"
#include "confine/cgroup_host.h"
#include "confine/id_pool.h"
#include "environments/probe.h"
#include "scratch_folder.h"

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

// A host of version 1 and 2 at once: what is below has both kinds of cgroups.
class Host {
 public:
  Host() {
    for (const std::string folder : {"/sys/fs/cgroup/a/b", "/sys/fs/cgroup/memory/a"}) {
      Require(casemate::MakeFolders(root() + folder, 0755).has_value());
    }
    for (const std::string folder : {"/sys/fs/cgroup", "/sys/fs/cgroup/a"}) {
      for (const std::string file : {"/cgroup.controllers", "/cgroup.subtree_control"}) {
        const std::string path = root() + folder + file;
        const auto fd = casemate::OpenFile(path, O_WRONLY | O_CREAT, 0644);
        Require(fd && casemate::WriteAll(fd->get(), "cpu memory pids\n", path));
      }
    }
  }
  const std::string& root() const { return folder_.path(); }

 private:
  ScratchFolder folder_;
};

void CheckRange(const casemate::IdRange& range) {
  Require(range.count == 0 || range.count >= 2);
  Require(std::uint64_t{range.first} + range.count <= std::uint64_t{1} << 32U);
}

void CheckCgroups(const std::string& root, std::string_view self_cgroup, std::string_view mountinfo) {
  const auto host = casemate::CgroupHost::DiscoverFrom(root, self_cgroup, mountinfo, false);
  for (const casemate::CgroupController controller : casemate::kCgroupControllers) {
    const casemate::CgroupPlace& place = host.place(controller);
    Require(place.version >= 0 && place.version <= 2);
    if (place.version == 0) {
      Require(!place.why_not.empty() && !place.remedy.empty());
    } else {
      Require(place.parent.starts_with(root));
    }
  }
}

void CheckProbe(std::string_view output) {
  const auto report = casemate::ParseProbeOutput(output, "/usr/bin/python3");
  if (!report) {
    Require(!report.error().message.empty());
    return;
  }
  Require(report->executable.starts_with('/') && report->prefix.starts_with('/'));
  Require(report->version.starts_with("3."));
  for (const auto* list : {&report->programs, &report->prefixes, &report->sys_path, &report->libraries}) {
    for (const std::string& path : *list) {
      Require(path.starts_with('/') && path.find('\n') == std::string::npos);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Host host;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t gap = text.find("\n\n");
  const std::string_view first = text.substr(0, gap);
  const std::string_view second = gap == std::string_view::npos ? text : text.substr(gap + 2);
  CheckRange(casemate::FindSubordinateRange(first, second, "casemate", 1000));
  CheckRange(casemate::FindMappedRange(text));
  CheckCgroups(host.root(), first, second);
  CheckProbe(text);
  return 0;
}
