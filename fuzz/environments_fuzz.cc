// link: environments_build environments base model
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "environments/build/contents.h"
#include "environments/build/image_layers.h"
#include "environments/build/resolve.h"
#include "environments/build/rules.h"
#include "environments/build/wheel.h"
#include "environments/builder.h"
#include "environments/manifest.h"
#include "environments/reference.h"
#include "environments/requirements.h"

using namespace casemate;  // NOLINT(google-build-using-namespace): one function

// Everything of an environment that is parsed here: names, requirements and lists, wheel names and entry
// points, the JSON of images, manifests, the messages of the resolver and of who builds. What is taken must
// be what its contract says.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto safe = [](const std::string& path) {
    if (path.starts_with('/') || ("/" + path + "/").contains("/../")) std::abort();
  };
  (void)ParseEnvironmentReference(text);
  const RequirementsReader read = [text](const std::string& path) -> Expected<std::string> {
    return std::string(text.substr(path.size() % (text.size() + 1)));
  };
  for (const auto& parsed :
       {ParseRequirements(text, "fuzz/requirements.txt", read), ParsePackageList(text)}) {
    if (!parsed) continue;
    for (const std::string& line : parsed->lines) {
      const std::string_view before = std::string_view(line).substr(0, line.find(';'));
      if (line.starts_with('-') || line.starts_with('.') || before.contains("://") || line.contains('\n'))
        std::abort();
    }
  }
  if (const auto wheel = ParseWheelName(text); wheel && wheel->file.contains('/')) std::abort();
  for (const auto& script : ConsoleScripts(text)) {
    if (script.first.contains('/') || script.second.contains(';')) std::abort();
  }
  if (const auto path = TreeWriter::CheckPath(text)) safe(*path);
  for (const auto& layout : {ParseDockerManifest(text), ParseOciManifest(text)}) {
    if (!layout) continue;
    if (layout->layers.size() != layout->hashes.size()) std::abort();
    for (const std::string& layer : layout->layers) safe(layer);
    safe(layout->config);
  }
  if (const auto path = ParseOciIndex(text, "amd64")) safe(*path);
  (void)ParseImageConfig(text);
  if (const auto manifest = ParseManifest(text)) {
    if (!ParseManifest(EncodeManifest(*manifest))) std::abort();
  }
  (void)PackageRules::Parse(text, "rules");
  (void)CleanResolverMessage(text, text);
  (void)ReadContents(text);
  const auto answer = DecodeBuilderAnswer(std::string(text));
  const auto again = DecodeBuilderAnswer(EncodeBuilderAnswer(answer));
  if (answer.has_value() != again.has_value() || (answer ? *answer != *again : false)) std::abort();
  if (!answer && answer.error().message != again.error().message) std::abort();
  return 0;
}
