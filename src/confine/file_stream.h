#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "casemate/error.h"

namespace casemate {

// Files on their way into a fresh sandbox: packets on the launch socket, engine to init, before any
// foreign code runs. Each packet is one record: a kind, then its payload. Paths are relative to
// /workspace, "/"-separated, without "." or "..".
enum class FileRecord : char {
  kFolder = 'd',   // path
  kFile = 'f',     // u8 executable, then path; kData records follow
  kData = 'b',     // bytes for the last file
  kSymlink = 'l',  // target, NUL, path
  kEnd = 'e',
};

// Fits a packet into the default socket buffer with room to spare.
inline constexpr std::size_t kFileRecordBytesMax = 32 * 1024;

// The engine's side. Each call may block until init has taken enough.
class FileStreamWriter {
 public:
  explicit FileStreamWriter(int socket) : socket_(socket) {}
  Expected<void> Folder(std::string_view path);
  Expected<void> File(std::string_view path, bool executable, std::string_view bytes);
  Expected<void> FileFrom(std::string_view path, bool executable, int fd);
  Expected<void> Symlink(std::string_view path, std::string_view target);
  Expected<void> End();

 private:
  Expected<void> Send(FileRecord kind, std::string_view first, std::string_view second = {});
  int socket_;
};

// Init's side: takes records until kEnd and makes the files below the folder `root`, all owned by
// `owner`. Missing parents are made. Allocates nothing; async-signal-safe. 0 or -errno.
int ReceiveFiles(int socket, int root, unsigned owner);

}  // namespace casemate
