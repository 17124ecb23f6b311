// What libcurl, the TLS library and our own code free is wiped first: they hold tokens and values in ordinary
// memory for a moment. Found by every library of this process in the place of the C library's functions
// (malloc(3), "Replacing malloc"; the C library's own names stay reachable).
#include <malloc.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

// The names are the C library's.
// NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp,readability-inconsistent-declaration-parameter-name)
extern "C" {
void __libc_free(void* place);
void* __libc_malloc(std::size_t);

void free(void* place) {
  if (place == nullptr) return;
  explicit_bzero(place, malloc_usable_size(place));
  __libc_free(place);
}

void* realloc(void* place, std::size_t size) {
  if (place != nullptr && size == 0) {
    free(place);
    return nullptr;
  }
  void* const next = __libc_malloc(size);
  if (next == nullptr || place == nullptr) return next;
  std::memcpy(next, place, std::min(size, malloc_usable_size(place)));
  free(place);
  return next;
}
}
// NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp,readability-inconsistent-declaration-parameter-name)
