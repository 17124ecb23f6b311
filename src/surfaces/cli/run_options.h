#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "casemate/engine.h"
#include "casemate/error.h"
#include "casemate/request.h"

namespace casemate {

// Where the bytes of an argument are.
struct Source {
  enum class Kind { kText, kFile, kStdin };
  Kind kind = Kind::kText;
  std::string value;  // the text or the path
};

// `casemate run --batch`.
struct BatchFlags {
  std::string jobs_file;  // "-" for stdin; "" when this is no batch
  std::string output;     // "" for stdout
  int jobs = 0;           // at one time; 0 for one each processor
  bool unordered = false;
  bool resume = false;
  bool retry_interrupted = false;
  std::string first_flag;  // the first of these flags that was given, for messages
};

// `casemate run`'s command line, understood but with no file read yet.
struct RunOptions {
  ExecutionRequest request;  // all that needs no file
  EngineOptions engine;
  BatchFlags batch;
  std::optional<Source> code;
  std::optional<Source> input;
  std::optional<Source> input_schema;
  std::optional<Source> result_schema;
  std::vector<std::pair<std::string, Source>> files;  // name in the workspace -> bytes
  std::vector<std::string> env_files;
  std::string stdin_user;  // the flag that reads our stdin; only one can
  bool forward_stdin = false;
  bool tty = false;           // the program gets a terminal
  std::string engine_socket;  // a resident engine that must run it; "" for whichever there is
  bool no_engine = false;     // run it here in any case
  std::string output_dir;
  bool force = false;
  bool json = false;
  bool quiet = false;
  bool color = true;
  bool help = false;
};

// `words` are those after "run". Flags end at the first word that is none: it and all after it are the
// program and its arguments. With --batch there is none, and `request` is what each item falls back on.
// Errors: kInvalidRequest, or kNotFound when there is nothing to run.
Expected<RunOptions> ParseRunOptions(const std::vector<std::string>& words);

// Whether `words` ask for --json, for errors in what comes after it.
bool AsksForJson(const std::vector<std::string>& words);

// The text of `casemate run --help`.
std::string RunHelp();

}  // namespace casemate
