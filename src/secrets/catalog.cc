#include "secrets/catalog.h"

#include "secrets/cmd/cmd_provider.h"
#include "secrets/dotenv/dotenv_provider.h"
#include "secrets/env/env_provider.h"
#include "secrets/file/file_provider.h"

namespace casemate::secrets {

std::vector<std::unique_ptr<Provider>> MakeProviders() {
  std::vector<std::unique_ptr<Provider>> providers;
  providers.push_back(MakeEnvProvider());
  providers.push_back(MakeFileProvider());
  providers.push_back(MakeDotenvProvider());
  providers.push_back(MakeCmdProvider());
  return providers;
}

}  // namespace casemate::secrets
