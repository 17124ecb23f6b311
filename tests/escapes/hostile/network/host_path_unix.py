# what: Connects to unix sockets of the host by path: its own, Docker's, the system bus's, the journal's.
# expect: contained
# uses: attempts
# host: unix_listener
import socket

for path in (os.environ["PROBE_UNIX_PATH"], "/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock",
             "/run/dbus/system_bus_socket", "/run/systemd/journal/socket", "/dev/log", "/run/systemd/private",
             "/run/user/0/bus", "/run/user/1000/bus", "/tmp/.X11-unix/X0", "/run/snapd.socket", "/run/nscd/socket"):
    def connect():
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(2)
            client.connect(path)
            print(client.recv(200))
        return 0

    attempts.failed(path, outcome(connect))
result = attempts.result()
