// redaction_compiler OUTPUT TOML...: the rules of profiles/redaction/ as one block for the binary.
#include <cstdio>
#include <exception>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "redact/rules/rule_file.h"

namespace {

int Run(const std::vector<std::string>& words) {
  std::vector<std::string> blocks;
  for (std::size_t i = 1; i < words.size(); ++i) {
    std::ifstream in(words[i], std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(in)), {});
    const auto file = casemate::ReadRuleFile(words[i], text);
    if (!in || !file) {
      std::fprintf(stderr, "%s\n", file ? "cannot read a file of rules" : file.error().message.c_str());
      return 1;
    }
    blocks.push_back(file->block);
  }
  std::ofstream out(words[0], std::ios::binary);
  out << casemate::JoinRuleBlocks(blocks);
  return out.flush() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return argc < 3 ? 2 : Run({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "redaction_compiler: %s\n", error.what());
    return 1;
  }
}
