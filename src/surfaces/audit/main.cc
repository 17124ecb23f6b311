#include "surfaces/audit/audit_command.h"

int main(int argc, char** argv) { return casemate::AuditMain({argv + 1, argv + argc}, {}); }
