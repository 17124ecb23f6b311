#pragma once

#include <cstddef>
#include <cstdint>

namespace casemate {

// Between the engine and its attendant, the first process of a container: a kind, a little-endian 32-bit
// length, the payload. It travels through the attached streams of the Docker Engine, so that it needs no
// descriptor, no shared folder and no log. The program has no end of it: its own streams and its result
// channel are pipes of the attendant's, each of which is told by its own kind.
enum class Wire : char {
  // Engine to attendant, before kGo; what is to be run and where.
  kWord = 'a',       // one of argv
  kCandidate = 'x',  // a path that execve is tried with
  kVariable = 'e',   // NAME=value
  kWorkingDir = 'w',
  kLimit = 'l',     // "RESOURCE SOFT HARD" of setrlimit(2)
  kWritable = 'p',  // a path below which the program may write; all else is read-only to it
  kFolder = 'd',    // absolute path, made with its parents
  kFile = 'f',      // four octal digits, absolute path; kData follow
  kData = 'b',
  kSymlink = 'y',  // target, NUL, absolute path
  kNetwork = 'n',  // decimal: listen at kEgressPort, and carry so many connections at one time
  kGo = 'g',       // "s" with a pipe for stdin, "c" with the request and result channels
  // While it runs. At most kWindow bytes of a channel are on the way and not told as taken.
  kStdin = 'i',  // empty: its end
  kRequest = 'q',
  kStop = 'k',  // SIGKILL to all that the program is
  // Of connections (multiplexer.cc); each payload begins with the number of one.
  kTo = 't',
  kToTaken = 'u',
  kToClosed = 'z',
  // After kExit.
  kList = 'c',
  kFetch = 'h',  // a number, decimal: the place in the list, from 0

  // Attendant to engine.
  kReady = 'R',
  kStarted = 'S',
  kFailed = 'F',  // "ERRNO what it was doing"; nothing follows
  kStdout = 'O',
  kStderr = 'E',
  kResult = 'V',
  kStdinTaken = 'I',    // bytes, decimal; "-" when nobody reads it any more
  kRequestTaken = 'Q',  // the same
  kUse = 'U',           // "BYTES FILES FULL" of the writable file systems together
  kOpened = 'A',        // a connection, by its number
  kFrom = 'T',          // as kTo, kToTaken, kToClosed
  kFromTaken = 'W',
  kFromClosed = 'Z',
  kCounted = 'P',  // of a guest's cgroup: "PEAK_BYTES MEMORY_KILLS PROCESS_REFUSALS PROCESSES_PEAK"
  kExit = 'X',     // the wait status; nothing of the program is left
  kListed = 'N',   // "SIZE path" below the workspace
  kListEnd = 'M',
  kContent = 'B',
  kContentEnd = 'C',
};

inline constexpr std::size_t kWireHeader = 5;
inline constexpr std::size_t kWirePayloadMax = 64 * 1024;
inline constexpr std::size_t kWindow = 64 * 1024;
inline constexpr std::size_t kConnectionWindow = 64 * 1024;
inline constexpr std::size_t kConnectionsMax = 512;

}  // namespace casemate
