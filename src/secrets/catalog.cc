#include "secrets/catalog.h"

#include "secrets/aws/aws_place.h"
#include "secrets/cmd/cmd_provider.h"
#include "secrets/dotenv/dotenv_provider.h"
#include "secrets/env/env_provider.h"
#include "secrets/file/file_provider.h"
#include "secrets/remote/remote_provider.h"
#include "secrets/vault/vault_place.h"

namespace casemate::secrets {

std::vector<std::unique_ptr<Provider>> MakeProviders() {
  std::vector<std::unique_ptr<Provider>> providers;
  providers.push_back(MakeEnvProvider());
  providers.push_back(MakeFileProvider());
  providers.push_back(MakeDotenvProvider());
  providers.push_back(MakeCmdProvider());
  // These two live in the helper (helper/main.cc has their other line).
  const auto helper = std::make_shared<Helper>();
  providers.push_back(MakeRemoteProvider({"vault", kVaultForm, CheckVaultPlace}, helper));
  providers.push_back(MakeRemoteProvider({"aws", kAwsForm, CheckAwsPlace}, helper));
  return providers;
}

}  // namespace casemate::secrets
