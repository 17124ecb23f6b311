#pragma once

#include "confine/workspace_copy.h"  // IWYU pragma: export
