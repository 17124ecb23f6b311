"""The host's side of one run: what a hostile program looks for, and what must be unchanged afterwards."""

import contextlib
import ctypes
import os
import pathlib
import secrets
import socket
import stat
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import casemate  # noqa: E402
from program import check  # noqa: E402


class Host:
    """The host's side of one run: a canary, listeners and folders, all removed on exit."""

    def __init__(self, program, suite):
        self.program, self.suite = program, suite
        self.canary = secrets.token_hex(16)
        self.marker = "mark-" + secrets.token_hex(12)
        self.reached = []
        self.stack = contextlib.ExitStack()

    def __enter__(self):
        self.folder = pathlib.Path(self.stack.enter_context(casemate.scratch("host")))
        (self.folder / "closed").mkdir(mode=0o755)
        self.secret = self.folder / "closed" / "secret.txt"
        self.secret.write_text(self.canary)
        self.secret.chmod(0o644)
        self.workspace = self.folder / "workspace"
        self.variables = {
            "PROBE_SECRET_PATH": str(self.secret),
            "PROBE_HOST_PID": str(os.getpid()),
            "PROBE_HOST_NICE": str(max(0, os.nice(0))),
            "PROBE_HOST_NAME": socket.gethostname(),
            "PROBE_STATE_DIR": self.suite.state_dir,
            "PROBE_MARK": self.marker,
        }
        for name in self.program.get("host", []):
            getattr(self, "set_up_" + name)()
        self.before = self.listing()
        return self

    def __exit__(self, *exception):
        return self.stack.__exit__(*exception)

    def listing(self):
        if not self.workspace.exists():
            return None
        return {
            str(path): (
                path.lstat().st_mode,
                path.lstat().st_uid,
                path.lstat().st_mtime_ns,
                path.read_bytes() if stat.S_ISREG(path.lstat().st_mode) else None,
            )
            for path in [self.workspace, *sorted(self.workspace.rglob("*"))]
        }

    def serve(self, listener):
        self.stack.callback(listener.close)
        listener.listen()

        def accept():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                self.reached.append(str(listener))
                with contextlib.suppress(OSError), connection:
                    connection.sendall(self.canary.encode())

        threading.Thread(target=accept, daemon=True).start()

    def set_up_tcp_listener(self):
        listener = socket.create_server(("0.0.0.0", 0))
        self.variables["PROBE_TCP_PORT"] = str(listener.getsockname()[1])
        own = {entry[4][0] for entry in resolve_self()}
        self.variables["PROBE_HOST_ADDRESSES"] = " ".join(sorted(address for address in own if "%" not in address))
        self.serve(listener)

    def set_up_abstract_listener(self):
        listener = socket.socket(socket.AF_UNIX)
        name = "casemate-test-" + secrets.token_hex(8)
        listener.bind("\0" + name)
        self.variables["PROBE_ABSTRACT"] = name
        self.serve(listener)

    def set_up_unix_listener(self, path=None):
        listener = socket.socket(socket.AF_UNIX)
        path = str(path or self.folder / "listener")
        listener.bind(path)
        os.chmod(path, 0o777)
        self.variables["PROBE_UNIX_PATH"] = path
        self.serve(listener)

    def set_up_workspace(self):
        (self.workspace / "sub").mkdir(parents=True)
        (self.workspace / "input.txt").write_text("of the workspace\n")
        (self.workspace / "sub" / "more.txt").write_text("more\n")
        for path in (self.workspace, self.workspace / "sub"):
            path.chmod(0o777)
        (self.workspace / "input.txt").chmod(0o666)

    def set_up_workspace_with_links(self):
        self.set_up_workspace()
        (self.workspace / "to_secret").symlink_to(self.secret)
        (self.workspace / "to_folder").symlink_to(self.secret.parent)
        (self.workspace / "to_shadow").symlink_to("/etc/shadow")
        (self.workspace / "dangling").symlink_to("/nowhere")

    def set_up_workspace_socket(self):
        self.set_up_workspace()
        self.set_up_unix_listener(self.workspace / "listener")
        (self.workspace / "listener").chmod(0o755)

    def set_up_dialer(self):
        """Calls from the host, all the time, at the place where the program says that it will listen."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        name = "casemate-test-" + secrets.token_hex(8)
        self.variables.update(PROBE_TCP_PORT=str(port), PROBE_ABSTRACT=name)
        stop = threading.Event()

        def dial():
            while not stop.wait(0.05):
                for family, address in ((socket.AF_INET, ("127.0.0.1", port)), (socket.AF_UNIX, "\0" + name)):
                    try:
                        with socket.socket(family) as caller:
                            caller.settimeout(0.2)
                            caller.connect(address)
                            if self.marker.encode() in caller.recv(100):
                                self.reached.append(str(address))
                    except OSError:
                        continue

        thread = threading.Thread(target=dial)
        thread.start()
        self.stack.callback(thread.join)
        self.stack.callback(stop.set)

    def set_up_sysv_segment(self):
        libc = ctypes.CDLL(None, use_errno=True)
        libc.shmat.restype = ctypes.c_void_p
        key = secrets.randbelow(2**30) + 1
        segment = libc.shmget(key, 4096, 0o1666)
        check(segment >= 0, "the host gives no System V segment for the test")
        self.stack.callback(libc.shmctl, segment, 0, None)
        address = libc.shmat(segment, None, 0)
        ctypes.memmove(address, self.canary.encode(), 32)
        libc.shmdt(ctypes.c_void_p(address))
        self.variables.update(PROBE_SYSV_ID=str(segment), PROBE_SYSV_KEY=str(key))


def resolve_self():
    try:
        return socket.getaddrinfo(socket.gethostname(), None)
    except OSError:
        return []


# --- Checks of the host after a run; each raises Failure. ---


def workspace_unchanged(host, _done):
    check(host.listing() == host.before, "the host's workspace was changed")


def workspace_written(host, _done):
    path = host.workspace / "written.txt"
    check(
        path.exists() and path.read_text() == "by the program\n", "what the program wrote is not in the host's folder"
    )


def workspace_owner(host, _done):
    mode = host.secret.lstat()
    check(
        mode.st_uid == os.getuid() and stat.S_IMODE(mode.st_mode) == 0o644 and host.secret.read_text() == host.canary,
        "the host's file behind the link was changed",
    )


def no_setuid_left(host, _done):
    left = [
        str(path)
        for path in host.workspace.rglob("*")
        if stat.S_ISREG(path.lstat().st_mode) and path.lstat().st_mode & (stat.S_ISUID | stat.S_ISGID)
    ]
    check(not left, f"setuid or setgid files in the host's folder: {left}")
    devices = [str(path) for path in host.workspace.rglob("*") if stat.S_ISBLK(path.lstat().st_mode)]
    check(not devices, f"devices in the host's folder: {devices}")


def no_core_file(host, _done):
    left = [path.name for path in host.workspace.rglob("core*")]
    check(not left, f"core files in the host's folder: {left}")


def inotify_works(_host, _done):
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.inotify_init1(0)
    check(descriptor >= 0, "the host has no inotify instances left")
    os.close(descriptor)


def no_processes(_host, _done):
    """Looked at after every run; named in a header where it is the point of the program."""


def claims(_host, done):
    enforced = {entry["guarantee"] for entry in done["isolation"]["enforced"]}
    not_enforced = {entry["guarantee"] for entry in done["isolation"]["not_enforced"]}
    check(enforced | not_enforced >= casemate.CLAUSES, f"no answer about {casemate.CLAUSES - enforced - not_enforced}")
    found = done["result"]["value"]
    facts = {
        "privileges": ["no_new_privs", "capabilities"],
        "syscalls": ["seccomp"],
        "pid_space": ["pid_space"],
        "network": ["network"],
        "filesystem": ["filesystem"],
        "identity": ["identity"],
    }
    for guarantee, names in facts.items():
        check(guarantee not in enforced or all(found[name] for name in names), f"claims {guarantee}, but {found}")


HOST_CHECKS = {
    f.__name__: f
    for f in (
        workspace_unchanged,
        workspace_written,
        workspace_owner,
        no_setuid_left,
        no_core_file,
        inotify_works,
        no_processes,
        claims,
    )
}
