#pragma once

#include <memory>

#include "secrets/provider/provider.h"

namespace casemate::secrets {

// dotenv:PATH#NAME, a variable of a .env file (dotenv_parser.h), whose owner and mode are checked as those of
// file: are. It warns of a file that git tracks.
std::unique_ptr<Provider> MakeDotenvProvider();

}  // namespace casemate::secrets
