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

// What a process may read of its own /proc entry where that is not its pid namespace's: nothing that tells of
// the host, as net, mounts and cgroup do.
inline constexpr std::array kOwnProcFiles = {
    "auxv",     // the C library, cpu features
    "cmdline",  // psutil, setproctitle
    "comm",     // thread names
    "environ",  // its own variables
    "fd",       // closing inherited descriptors (subprocess), /dev/fd
    "fdinfo",   // positions of its own descriptors
    "limits",   // its own limits
    "maps",     // sanitizers, numba, pthread_getattr_np
    "stat",     // times (psutil)
    "statm",    // memory (psutil)
    "status",   // memory and ids
};

inline constexpr std::array kDevices = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"};

}  // namespace casemate
