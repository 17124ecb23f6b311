#pragma once

#include <string>

#include "casemate/error.h"
#include "environments/build/image_layers.h"
#include "environments/build/tree_writer.h"

namespace casemate {

// Unpacks a saved image (docker save, or an OCI image layout, as a tar file) with all of its layers into
// `root`; `outer` is an empty folder for the files of the archive itself. Hashes are checked wherever
// something names them. Not confined by itself.
Expected<ImageConfig> UnpackImage(int archive, int outer, int root, const TreeLimits& limits);

// One layer over what is in the tree: whiteouts first, then its entries (OCI image specification, "Applying
// Changesets"). Device nodes are refused outside of dev/, and left out there. kInvalidRequest for what is
// hostile.
Expected<void> ApplyLayer(int layer, TreeWriter& tree);

// Copies a folder of this host as a root: files, folders and links as they are, and nothing else.
Expected<void> CopyRoot(int from, TreeWriter& tree);

}  // namespace casemate
