#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "casemate/result.h"

namespace casemate {

// A flat index over checked JSON text: each value, and each key of an object before its value, is one node
// of 24 bytes, in the order of the text. Reads strings and numbers where they stand.
class JsonTape {
 public:
  using Index = std::uint32_t;
  enum class Kind : std::uint8_t { kNull, kBool, kNumber, kString, kArray, kObject };

  // `json` must outlive the tape.
  explicit JsonTape(const JsonText& json);

  static constexpr Index kRoot = 0;
  Kind kind(Index node) const { return nodes_[node].kind; }
  // Elements of an array, members of an object, 0 for others.
  std::size_t size(Index node) const { return nodes_[node].size; }
  // The text of a value that is no array and no object; of a string with its quotes and escapes.
  std::string_view raw(Index node) const;
  // The text of any value, to the letter. Takes time linear in it.
  std::string_view text(Index node) const;
  // Bytes from the value's start to the next value's, for counting work.
  std::size_t span(Index node) const;
  // A string's content.
  std::string String(Index node) const;

  // Children: from FirstChild(n), each following one by Next(), until End(n). Of an object: key, value, ...
  Index FirstChild(Index node) const { return node + 1; }
  Index Next(Index node) const { return nodes_[node].next; }
  Index End(Index node) const { return nodes_[node].next; }

  // Equal exactly for values that JSON Schema holds equal: 1 and 1.0, objects in any order.
  std::string NormalForm(Index node) const;

 private:
  struct Node {
    std::size_t start;
    Index next;  // after the whole value
    Index size;
    Kind kind;
  };

  void AppendNormalForm(std::string& out, Index node) const;

  std::string_view text_;
  std::vector<Node> nodes_;
};

}  // namespace casemate
