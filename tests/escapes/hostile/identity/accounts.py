# what: Reads the accounts of the host: shadow, real user names, machine id, host name, ssh host keys.
# expect: contained
# uses: attempts
# in_process: expect=status=error
# in_process: why=that file is closed here, so the program ends with the refusal
import socket

for path in ("/etc/shadow", "/etc/gshadow", "/etc/sudoers", "/etc/machine-id", "/etc/ssh/ssh_host_rsa_key",
             "/etc/subuid", "/etc/fstab", "/etc/crontab", "/etc/shadow-", "/var/lib/dbus/machine-id"):
    attempts.failed(path, outcome(lambda: os.open(path, os.O_RDONLY)))
names = [line.split(":")[0] for line in open("/etc/passwd")]
attempts.holds("passwd", len(names) <= 4, str(names))
attempts.holds("host name", socket.gethostname() != os.environ["PROBE_HOST_NAME"], socket.gethostname())
result = attempts.result()
