#pragma once

#include <string>

#include "casemate/backend.h"
#include "isolation/docker/api.h"
#include "isolation/docker/image_files.h"
#include "isolation/docker/tar.h"

namespace casemate::docker {

// Where the attendant is in every image of ours, and in a container of any other.
inline constexpr const char* kAttendantPath = "/usr/libexec/casemate-attendant";

// The name of our image for `environment`: it changes with the interpreter, with the folders of its packages,
// with the host's libraries and with what this program puts in.
std::string ImageName(const EnvironmentView& environment);

// The attendant, at its place.
void AddAttendant(ImageEntries& entries);

// All of them, in order; TarWriter::End() is the caller's.
Expected<void> WriteEntries(const ImageEntries& entries, TarWriter& tar);

// Builds that image from the host's files, without a registry, and gives it its name. May take a minute.
Expected<void> BuildImage(const Api& api, const EnvironmentView& environment, const std::string& name);

// The attendant's program.
std::string_view AttendantBinary();

// `text` for a URL's query (RFC 3986).
std::string UrlEncode(std::string_view text);

}  // namespace casemate::docker
