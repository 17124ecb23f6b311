# what: Compares what the result says is enforced with what a probe inside finds.
# expect: contained
# uses: attempts
# host_check: claims
# in_process: expect=status=error
# in_process: host_check=
# in_process: why=/proc cannot be listed here; tests/docker has its own probe of what this tier claims
import socket

lines = dict(line.split(":\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\t" in line)
interfaces = outcome(lambda: len(socket.if_nameindex()))
found = {"no_new_privs": lines["NoNewPrivs"] == "1", "seccomp": lines["Seccomp"] == "2",
         "capabilities": all(int(lines[name], 16) == 0 for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")),
         "pid_space": len([name for name in os.listdir("/proc") if name.isdigit()]) <= 2,
         "network": interfaces[0] <= 1, "filesystem": not os.path.exists("/etc/shadow"), "identity": os.getuid() == 1000}
attempts.evidence = found
attempts.holes = [name for name, held in found.items() if not held]
result = dict(attempts.result(), value=found)
