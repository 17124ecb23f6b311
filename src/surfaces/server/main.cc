#include "surfaces/cli/serve_command.h"

#include <csignal>

#include "casemate/doctor.h"
#include "surfaces/cli/cli.h"

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  casemate::CliServices services;
  services.make_engine = casemate::MakeEngine;
  return casemate::ServeCommandLine({argv + 1, argv + argc}, services, {});
}
