# what: With an allowlist of one name, tries every address, port and abstract socket that a host is likely to have.
# expect: contained
# uses: attempts
# flags: --timeout 30s --network allow:allowed.example
# host: tcp_listener
# host: abstract_listener
# in_process: expect=status=unavailable
# in_process: why=without a network namespace of its own there is nothing that an allowlist could be held in
import socket

open_ports = []
for host in ("127.0.0.1", "127.0.0.2", "127.0.0.53", "0.0.0.0", "::1", "::ffff:127.0.0.1"):
    for port in (*range(1, 1025), int(os.environ["PROBE_TCP_PORT"]), 2375, 3000, 3306, 5432, 6379, 8000, 8080, 9090):
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as client:
            client.settimeout(2)
            if client.connect_ex((host, port)) == 0:
                open_ports.append([host, port])
attempts.holds("only the proxy's port answers on the loopback", open_ports == [], str(open_ports))
for host in ("10.0.0.1", "10.0.2.2", "172.17.0.1", "192.168.0.1", "192.168.1.1", "169.254.169.254", "192.0.2.1",
             "8.8.8.8", "fe80::1", "2001:4860:4860::8888"):
    for port in (22, 53, 80, 443):
        def reach():
            with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as client:
                client.settimeout(2)
                client.connect((host, port))
                return True
        attempts.failed(f"{host} {port}", outcome(reach))
for name in (os.environ["PROBE_ABSTRACT"], "/tmp/.X11-unix/X0", "/containerd-shim/x.sock", "casemate"):
    def reach_abstract():
        with socket.socket(socket.AF_UNIX) as client:
            client.connect("\0" + name)
            return True
    attempts.failed(f"abstract {name}", outcome(reach_abstract))
result = attempts.result()
