// link: policy_checks model base
// Any bytes as a program: what the quick parser takes, it makes the tree of that the grammar makes.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "policy/checks/quick_parser.h"
#include "policy/checks/source_text.h"
#include "policy/checks/syntax_tree.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using casemate::SyntaxNode;
  casemate::SourceText text;
  if (casemate::SourceText::Read({reinterpret_cast<const char*>(data), size}, text)) return 0;
  const auto quick = casemate::QuickParser(text.text()).Parse();
  if (!quick) return 0;
  const auto whole = casemate::SyntaxTree::ParseWhole(text.text());
  if (!whole) return 0;
  const auto same = [](const SyntaxNode& a, const SyntaxNode& b) {
    return a.kind == b.kind && a.field == b.field && a.depth == b.depth && a.begin == b.begin &&
           a.end == b.end && a.parent == b.parent && a.first_child == b.first_child && a.next == b.next;
  };
  if (whole->error_at() || !std::ranges::equal(whole->nodes(), *quick, same)) std::abort();
  return 0;
}
