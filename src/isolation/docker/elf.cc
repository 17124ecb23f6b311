#include "isolation/docker/elf.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cstring>
#include <optional>
#include <ranges>
#include <string_view>

#include "base/unique_fd.h"

namespace casemate::docker {
namespace {

constexpr std::size_t kHeadersMax = 4096;

// The record at `offset`, if all of it is there.
template <typename Record>
std::optional<Record> At(std::string_view bytes, std::uint64_t offset) {
  if (offset > bytes.size() || bytes.size() - offset < sizeof(Record)) return std::nullopt;
  Record record;
  std::memcpy(&record, bytes.data() + offset, sizeof(record));
  return record;
}

std::string TextAt(std::string_view bytes, std::uint64_t offset) {
  if (offset >= bytes.size()) return "";
  const std::string_view rest = bytes.substr(offset, 4096);
  const std::size_t end = rest.find('\0');
  return end == std::string_view::npos ? "" : std::string(rest.substr(0, end));
}

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  ElfNeeds Run() {
    const auto header = At<Elf64_Ehdr>(bytes_, 0);
    if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) return {};
    if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_phentsize != sizeof(Elf64_Phdr)) return {};
    for (std::size_t i = 0; i < header->e_phnum && i < kHeadersMax; ++i) {
      if (const auto segment = At<Elf64_Phdr>(bytes_, header->e_phoff + i * sizeof(Elf64_Phdr)))
        segments_.push_back(*segment);
    }
    ElfNeeds needs;
    for (const Elf64_Phdr& segment : segments_) {
      if (segment.p_type == PT_INTERP) needs.libraries.push_back(TextAt(bytes_, segment.p_offset));
      if (segment.p_type == PT_DYNAMIC) TakeDynamic(segment, needs);
    }
    std::erase(needs.libraries, "");
    return needs;
  }

 private:
  // Where an address of the loaded file is in the file itself.
  std::uint64_t OffsetOf(std::uint64_t address) const {
    for (const Elf64_Phdr& segment : segments_) {
      if (segment.p_type == PT_LOAD && address >= segment.p_vaddr &&
          address - segment.p_vaddr < segment.p_filesz) {
        return segment.p_offset + (address - segment.p_vaddr);
      }
    }
    return UINT64_MAX;
  }

  void TakeDynamic(const Elf64_Phdr& segment, ElfNeeds& needs) const {
    std::uint64_t strings = UINT64_MAX;
    std::vector<std::uint64_t> needed;
    std::vector<std::uint64_t> run_paths;
    for (std::size_t i = 0; i < segment.p_filesz / sizeof(Elf64_Dyn) && i < kHeadersMax; ++i) {
      const auto entry = At<Elf64_Dyn>(bytes_, segment.p_offset + i * sizeof(Elf64_Dyn));
      if (!entry || entry->d_tag == DT_NULL) break;
      if (entry->d_tag == DT_NEEDED) needed.push_back(entry->d_un.d_val);
      if (entry->d_tag == DT_RUNPATH || entry->d_tag == DT_RPATH) run_paths.push_back(entry->d_un.d_val);
      if (entry->d_tag == DT_STRTAB) strings = OffsetOf(entry->d_un.d_ptr);
    }
    if (strings >= bytes_.size()) return;
    for (const std::uint64_t name : needed) {
      if (name < bytes_.size()) needs.libraries.push_back(TextAt(bytes_, strings + name));
    }
    for (const std::uint64_t list : run_paths) {
      if (list >= bytes_.size()) continue;
      const std::string text = TextAt(bytes_, strings + list);
      for (const auto folder : std::views::split(text, ':'))
        needs.run_path.emplace_back(folder.begin(), folder.end());
    }
  }

  std::string_view bytes_;
  std::vector<Elf64_Phdr> segments_;
};

}  // namespace

ElfNeeds NeedsOfBytes(std::string_view bytes) { return Reader(bytes).Run(); }

ElfNeeds NeedsOf(const std::string& path) {
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat info {};
  if (!file.valid() || fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode)) return {};
  const auto size = static_cast<std::size_t>(info.st_size);
  if (size < sizeof(Elf64_Ehdr)) return {};
  void* mapped = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (mapped == MAP_FAILED) return {};
  auto needs = NeedsOfBytes({static_cast<const char*>(mapped), size});
  munmap(mapped, size);
  return needs;
}

}  // namespace casemate::docker
