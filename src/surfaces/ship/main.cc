#include "surfaces/ship/ship_command.h"

int main(int argc, char** argv) { return casemate::ShipMain({argv + 1, argv + argc}, {}); }
