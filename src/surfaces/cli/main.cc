#include "surfaces/cli/cli.h"

int main(int argc, char** argv) {
  const casemate::CliServices services{casemate::MakeEngine, casemate::Diagnose, casemate::CollectGarbage,
                                       casemate::MakeSecretStore, casemate::Explain};
  return casemate::CliMain({argv + 1, argv + argc}, services, {});
}
