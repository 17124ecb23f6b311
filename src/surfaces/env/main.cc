#include "surfaces/env/env_command.h"

int main(int argc, char** argv) { return casemate::EnvMain({argv + 1, argv + argc}, {}); }
