"""The ways to run one Python program that bench/cold_run compares, each as hardened as it can be.

Every maker returns a Peer or raises Unavailable with the reason; the table shows the reason, so that no
peer is silently left out. `command(code)` is the complete argument vector that runs `python3 -I -S -c code`.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
ROOTFS_BUILDER = ROOT / "tests" / "images" / "build_rootfs"
PYTHON_FLAGS = ("-I", "-S", "-c")
# One set of limits for every peer that can limit: Casemate's defaults.
MEMORY_BYTES = 256 << 20
PROCESSES = 64
# Where bubblewrap gets its seccomp program: a descriptor that nothing in the bench itself uses.
FILTER_FD = 100
# An unused range of host ids, so that the container's root is nobody on the host.
OUTER_ID = 0x70000000
OUTER_ID_COUNT = 65536

# As Casemate calls it, but for `--oci-seccomp`: there the container's init installs the filter. Limits of memory,
# processes and processor are those of a cgroup that it is started in, as Casemate's: LIMITED_MEMORY and so on.
RUNSC_FLAGS = ["--network=none", "--ignore-cgroups", "--overlay2=none", "--oci-seccomp", "--host-uds=none",
               f"--platform={os.environ.get('CASEMATE_BENCH_PLATFORM', 'systrap')}"]
# What gVisor's own kernel may have besides the program; two processors, as Casemate gives it while it starts.
SENTRY_BYTES, SENTRY_THREADS = 64 << 20, 512
CPU_PERIOD_US = 100000


class Unavailable(Exception):
    """Why a peer cannot be measured here, as one clause."""


@dataclasses.dataclass
class Peer:
    name: str
    command: Callable[[str], list[str]]
    # What limits it sets, as configured here: a program cannot see that from inside.
    limits: str = "none"
    # Descriptors that the command expects to be open, and the files behind them.
    files: dict[int, pathlib.Path] = dataclasses.field(default_factory=dict)
    # Where the command runs, if not in the bench's own mount namespace.
    mount_namespace: pathlib.Path | None = None
    # Control groups that each run of the command is started in.
    cgroups: list["Cgroup"] = dataclasses.field(default_factory=list)
    # How the program's standard output is found in the command's.
    output: Callable[[str], str] = staticmethod(lambda text: text)


def find(tool):
    path = shutil.which(tool) or shutil.which(tool, path="/usr/sbin:/sbin")
    if not path:
        raise Unavailable(f"{tool} is not installed")
    return path


def readonly_folders(interpreter):
    """Host folders that an interpreter needs: /usr, and its own prefixes where they are elsewhere."""
    probe = "import sys; print(sys.base_prefix, sys.prefix, sys.exec_prefix, sep='\\n')"
    found = subprocess.run([interpreter, "-I", "-S", "-c", probe], capture_output=True, text=True, check=True)
    prefixes = {line for line in found.stdout.split("\n") if line}
    return ["/usr", *sorted(p for p in prefixes if p != "/usr" and not p.startswith("/usr/"))]


def root_links():
    """The merged-usr links of the host's root, such as ("usr/lib", "/lib")."""
    names = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
    return [(os.readlink(f"/{name}"), f"/{name}") for name in names if os.path.islink(f"/{name}")]


def bare(interpreter):
    return Peer("bare interpreter", lambda code: [interpreter, *PYTHON_FLAGS, code])


def casemate(binary, interpreter, tier="", runtime=""):
    if not os.access(binary, os.X_OK):
        raise Unavailable(f"{binary} does not exist; build it with ./dev build")
    words = ["--isolation", tier] if tier else []
    if runtime:
        words = ["--runtime", runtime]
    name = f"casemate by {runtime}" if runtime else f"casemate, {tier} tier" if tier else "casemate"
    return Peer(
        name,
        lambda code: [str(binary), "run", "--no-engine", *words, "--python", interpreter, "-c", code, "--json"],
        limits="memory, pids, cpu, output, time" if tier == "process" else "memory, pids, cpu, disk, output, time",
        output=lambda text: json.loads(text)["stdout"],
    )


def denied_syscalls():
    return (HERE / "denied_syscalls.txt").read_text().split()


def bubblewrap(interpreter, tools, work):
    argv = [find("bwrap"), "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv"]
    argv += ["--unshare-user", "--uid", "1000", "--gid", "1000"]
    for folder in readonly_folders(interpreter):
        argv += ["--ro-bind", folder, folder]
    for target, link in root_links():
        argv += ["--symlink", target, link]
    argv += ["--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache", "--proc", "/proc", "--dev", "/dev"]
    argv += ["--size", str(64 << 20), "--tmpfs", "/tmp", "--dir", "/workspace", "--chdir", "/workspace"]
    argv += ["--remount-ro", "/", "--setenv", "PATH", "/usr/bin", "--setenv", "HOME", "/tmp"]
    argv += ["--seccomp", str(FILTER_FD)]
    program = work / "seccomp.bpf"
    with program.open("wb") as out:
        names = "\n".join(denied_syscalls()) + "\n"
        subprocess.run([tools / "export_filter"], input=names.encode(), stdout=out, check=True)
    return Peer(
        "bubblewrap", lambda code: [*argv, interpreter, *PYTHON_FLAGS, code], limits="disk", files={FILTER_FD: program}
    )


def _oci_mounts(host_paths):
    def bind(folder):
        return {"destination": folder, "type": "bind", "source": folder, "options": ["rbind", "ro", "nosuid", "nodev"]}

    def tmpfs(folder, size):
        options = ["nosuid", "nodev", "noexec", f"size={size}", "mode=1777"]
        return {"destination": folder, "type": "tmpfs", "source": "tmpfs", "options": options}

    device_options = ["nosuid", "noexec", "strictatime", "mode=755", "size=65536k"]
    return [
        {"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"]},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": device_options},
        tmpfs("/dev/shm", "64m"),
        tmpfs("/tmp", "64m"),
        tmpfs("/workspace", "64m"),
        *(bind(path) for path in host_paths),
    ]


@contextlib.contextmanager
def _mount_namespace(script, failure):
    """A mount namespace of its own, as a shell's commands leave it; gone with the bench, however that ends."""
    argv = [find("unshare"), "--mount", "--propagation", "private", "sh", "-c"]
    argv.append(f"{script} && echo ready && exec sleep infinity")
    holder = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        if holder.stdout.readline() != "ready\n":
            raise Unavailable(failure)
        yield pathlib.Path(f"/proc/{holder.pid}/ns/mnt")
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()


def _oci_config(interpreter, code, cgroup, rootfs, host_paths):
    namespaces = ("pid", "network", "ipc", "uts", "mount", "cgroup", "user")
    mapping = [{"containerID": 0, "hostID": OUTER_ID, "size": OUTER_ID_COUNT}]
    no_capabilities = {s: [] for s in ("bounding", "effective", "inheritable", "permitted", "ambient")}
    masked = ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/sched_debug"]
    return {
        "ociVersion": "1.0.2",
        "process": {
            "terminal": False,
            "user": {"uid": 1000, "gid": 1000},
            "args": [interpreter, *PYTHON_FLAGS, code],
            "env": ["PATH=/usr/bin", "HOME=/tmp", "LANG=C.UTF-8"],
            "cwd": "/workspace",
            "capabilities": no_capabilities,
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 256, "soft": 256}],
            "noNewPrivileges": True,
        },
        "root": {"path": str(rootfs), "readonly": True},
        "hostname": "sandbox",
        "mounts": _oci_mounts(host_paths),
        "linux": {
            "namespaces": [{"type": name} for name in namespaces],
            "uidMappings": mapping,
            "gidMappings": mapping,
            "cgroupsPath": cgroup,
            "resources": {
                "memory": {"limit": MEMORY_BYTES, "swap": MEMORY_BYTES},
                "pids": {"limit": PROCESSES},
                "cpu": {"quota": 100000, "period": 100000},
                "devices": [{"allow": False, "access": "rwm"}],
            },
            "seccomp": {
                "defaultAction": "SCMP_ACT_ALLOW",
                "architectures": ["SCMP_ARCH_X86_64"],
                "syscalls": [{"names": denied_syscalls(), "action": "SCMP_ACT_ERRNO"}],
            },
            "maskedPaths": masked,
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
        },
    }


def _own_cgroups():
    """The bench's own group by controller, and "" for that of version 2."""
    found = {}
    for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        for name in controllers.split(","):
            found[name] = path.lstrip("/")
    return found


@dataclasses.dataclass
class Cgroup:
    """A group that is made for each run, so that it is as fresh as Casemate's."""

    group: pathlib.Path
    home: pathlib.Path  # the bench's own, in the same hierarchy
    entrance: str  # the file in both that takes process ids
    limits: dict[str, str]

    def field(self):
        limits = ",".join(f"{file}={value}" for file, value in self.limits.items())
        return f"&={self.group}:{self.home}:{self.entrance}:{limits}"


def limited_cgroups(name, memory_bytes, processes, cpus):
    """Groups with these limits, one in each hierarchy that has them."""
    root, own = pathlib.Path("/sys/fs/cgroup"), _own_cgroups()
    quota = int(cpus * CPU_PERIOD_US)
    version_1 = {
        "memory": {"memory.limit_in_bytes": str(memory_bytes)},
        "pids": {"pids.max": str(processes)},
        "cpu": {"cpu.cfs_period_us": str(CPU_PERIOD_US), "cpu.cfs_quota_us": str(quota)},
        "cpuacct": {},
    }
    parent = f"casemate-bench-{os.getpid()}"
    found = []
    for controller, limits in version_1.items():
        home = root / controller / own.get(controller, "")
        if controller in own and home.is_dir():
            found.append(Cgroup(home / parent / name, home, "tasks", limits))
    if not found:
        # The bench's own group has processes of its own, so it may have no limited groups: they are at the top.
        limits = {"memory.max": str(memory_bytes), "pids.max": str(processes), "cpu.max": f"{quota} {CPU_PERIOD_US}"}
        found = [Cgroup(root / parent / name, root / own[""], "cgroup.procs", limits)]
    for cgroup in found:
        try:
            cgroup.group.parent.mkdir(exist_ok=True)
            if cgroup.entrance == "cgroup.procs":
                (cgroup.group.parent / "cgroup.subtree_control").write_text("+memory +pids +cpu")
        except OSError as error:
            raise Unavailable(f"no cgroup with limits can be made for it: {error}") from error
    return found


def limited_runsc(interpreter, stack, work):
    """runsc with the limits that Casemate holds around it: its flags tell it to leave cgroups alone."""
    place = work / "limited"
    place.mkdir(mode=0o755)
    peer = oci("runsc", interpreter, stack, place)
    peer.name = "runsc, limited"
    peer.limits = "memory, pids, cpu, disk"
    peer.cgroups = limited_cgroups("runsc-limited", MEMORY_BYTES + SENTRY_BYTES, 2 * PROCESSES + SENTRY_THREADS, 2)
    return peer


def _make_root(rootfs, interpreter):
    for folder in ("proc", "dev", "tmp", "workspace", "etc", *readonly_folders(interpreter)):
        (rootfs / folder.lstrip("/")).mkdir(parents=True, exist_ok=True)
    (rootfs / "etc/ld.so.cache").touch()
    for target, link in root_links():
        (rootfs / link.lstrip("/")).symlink_to(target)
    return rootfs


def oci(runtime, interpreter, stack, work):
    """A bundle for crun, runc or runsc whose root has the host's /usr, so that the interpreter is the same. For runsc
    it is there beforehand, as in an unpacked image: gVisor's mounts take milliseconds, and Casemate makes none."""
    path = find(runtime)
    if os.geteuid() != 0:
        raise Unavailable("as an ordinary user it would run with fewer guarantees; run the bench as root")
    argv = [path, "--root", str(work / f"{runtime}-state")]
    if runtime == "runsc":
        argv += RUNSC_FLAGS
    rootfs = _make_root(work / f"{runtime}-root", interpreter)
    host_paths, namespace = [*readonly_folders(interpreter), "/etc/ld.so.cache"], None
    if runtime == "crun" and os.path.ismount("/sys/fs/cgroup/unified"):
        failure = "the version 2 cgroup tree of this hybrid host, which it refuses, cannot be hidden"
        namespace = stack.enter_context(_mount_namespace("umount /sys/fs/cgroup/unified", failure))
    if runtime == "runsc":
        place = " && ".join(f"mount --bind -o ro,nosuid,nodev {path} {rootfs}{path}" for path in host_paths)
        namespace = stack.enter_context(_mount_namespace(place, "the host's files cannot be put into its root"))
        host_paths = []
    made = {}

    def command(code):
        if code not in made:
            bundle = work / f"{runtime}-{len(made)}"
            bundle.mkdir()
            group = f"/casemate-bench-{os.getpid()}/{runtime}"
            config = _oci_config(interpreter, code, group, rootfs, host_paths)
            (bundle / "config.json").write_text(json.dumps(config))
            made[code] = bundle
        return [*argv, "run", "--bundle", str(made[code]), f"casemate-bench-{runtime}"]

    limits = "disk" if runtime == "runsc" else "memory, pids, cpu, disk"
    return Peer(runtime, command, limits=limits, mount_namespace=namespace)


def image_cache():
    default = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "casemate-bench"
    return pathlib.Path(os.environ.get("CASEMATE_BENCH_CACHE") or default)


@contextlib.contextmanager
def _daemon(work):
    """A Docker daemon of the bench's own, with everything it writes under one folder; yields its client."""
    daemon, client = find("dockerd"), find("docker")
    if os.geteuid() != 0:
        raise Unavailable("starting a Docker daemon needs root")
    socket = f"unix://{work}/docker.sock"
    argv = [daemon, "--data-root", f"{work}/docker", "--exec-root", f"{work}/docker-run", "-H", socket]
    argv += ["--pidfile", f"{work}/docker.pid", "--bridge=none", "--iptables=false", "--ip6tables=false"]
    argv += ["--cgroup-parent", f"/casemate-bench-{os.getpid()}"]
    log = work / "dockerd.log"
    with log.open("wb") as out:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        base = [client, "-H", socket]
        deadline = time.monotonic() + 30
        while subprocess.run([*base, "version"], capture_output=True, check=False).returncode != 0:
            if process.poll() is not None or time.monotonic() > deadline:
                last = (log.read_text(errors="replace").strip().splitlines() or ["it wrote nothing"])[-1]
                raise Unavailable(f"the Docker daemon does not start here: {last}")
            time.sleep(0.2)
        yield base
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def docker(stack, work):
    base = stack.enter_context(_daemon(work))
    built = subprocess.run(
        [str(ROOTFS_BUILDER), "python", str(image_cache())], stdout=subprocess.PIPE, text=True, check=False
    )
    if built.returncode != 0:
        raise Unavailable("its image cannot be built; the message above says why")
    imported = subprocess.run(
        [*base, "import", built.stdout.strip(), "casemate-bench:latest"], capture_output=True, text=True, check=False
    )
    if imported.returncode != 0:
        raise Unavailable(f"docker import failed: {imported.stderr.strip()}")
    argv = [*base, "run", "--rm", "--network", "none", "--read-only", "--cap-drop", "ALL"]
    argv += ["--security-opt", "no-new-privileges", "--pids-limit", str(PROCESSES)]
    argv += ["--memory", str(MEMORY_BYTES), "--memory-swap", str(MEMORY_BYTES), "--cpus", "1", "--user", "65534"]
    argv += ["--tmpfs", "/tmp:size=64m", "casemate-bench:latest", "/usr/bin/python3"]
    return Peer("docker run", lambda code: [*argv, *PYTHON_FLAGS, code], limits="memory, pids, cpu, disk")


def remove_cgroups():
    """Removes the empty parents that crun, runc and Docker leave behind, in every hierarchy."""
    for parent in pathlib.Path("/sys/fs/cgroup").glob(f"**/casemate-bench-{os.getpid()}"):
        for folder, _, _ in os.walk(parent, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(folder)


@contextlib.contextmanager
def workspace():
    """A folder that the mapped ids of the containers can reach; removed with all cgroups at the end."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="casemate-bench-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        remove_cgroups()
        shutil.rmtree(folder, ignore_errors=True)
        if folder.exists():
            print(f"bench: {folder} could not be removed entirely; remove it by hand", file=sys.stderr)
