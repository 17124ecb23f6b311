#pragma once

#include <memory>

#include "secrets/aws/aws_profile.h"
#include "secrets/http/client.h"
#include "secrets/provider/provider.h"

namespace casemate::secrets {

// aws:SECRET_ID (aws_place.h) of Secrets Manager, in the region that the reference, its ARN, AWS_REGION,
// AWS_DEFAULT_REGION or the profile names, with the credentials of AwsCredentialChain.
// AWS_ENDPOINT_URL_SECRETS_MANAGER or AWS_ENDPOINT_URL name another server, AWS_CA_BUNDLE its authority.
// `client` outlives it.
std::unique_ptr<Provider> MakeAwsProvider(HttpClient& client, Variable variable);

}  // namespace casemate::secrets
