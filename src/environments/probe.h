#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "casemate/error.h"

namespace casemate {

// What an interpreter says of itself. Paths are absolute, in the interpreter's own spelling.
struct ProbeReport {
  std::string executable;              // sys.executable; a venv's own
  std::string prefix;                  // sys.prefix; a venv's own
  std::string version;                 // "3.11.2"
  std::vector<std::string> programs;   // the executable and, in a venv, the one it stands for
  std::vector<std::string> prefixes;   // the four of sys, without repeats
  std::vector<std::string> sys_path;   // what exists of sys.path once site has run
  std::vector<std::string> libraries;  // shared objects that it and its extension modules have loaded
  std::vector<std::string> watch;      // files and folders that decide the above; some may not exist
};

// Runs `interpreter` once to ask it. kUnavailable when it does not answer, answers nonsense, or is older
// than Casemate's harness can run on.
Expected<ProbeReport> Probe(const std::string& interpreter, std::int64_t timeout_ms);

// What it has the interpreter run, for one that must be asked in a sandbox.
std::string_view ProbeScript();

// Reads the probe's output; exposed for tests. `interpreter` is for the messages.
Expected<ProbeReport> ParseProbeOutput(std::string_view output, const std::string& interpreter);

// The variables that may change which interpreter a shim starts; they are passed on to it.
const std::vector<std::string>& SelectorVariables();
// The files that do, looked up in the working folder and each folder above it.
const std::vector<std::string>& SelectorFiles();

}  // namespace casemate
