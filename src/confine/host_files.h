#pragma once

#include <array>

namespace casemate {

// What is taken from the host's /etc when it is there: public, and read by common libraries.
inline constexpr std::array kHostFiles = {
    "etc/ld.so.cache",   // the loader: libraries outside the standard folders
    "etc/mime.types",    // mimetypes
    "etc/services",      // socket.getservbyname
    "etc/protocols",     // socket.getprotobyname
    "etc/matplotlibrc",  // Debian's matplotlib refuses to start without it
    "etc/timezone",      // tzlocal
};
// What is bound read-only from the host's /etc when it is there: folders of links into /usr.
inline constexpr std::array kBoundFolders = {
    "/etc/alternatives",  // Debian: libblas.so.3 and many commands lead through it
    "/etc/ssl/certs",     // ssl.create_default_context
    "/etc/fonts",         // fontconfig
};

inline constexpr std::array kDevices = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"};

}  // namespace casemate
