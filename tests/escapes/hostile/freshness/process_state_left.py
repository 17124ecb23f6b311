# what: Leaves a umask, signal handlers, limits, a working folder, variables, and looks for those of the run before.
# expect: contained
# uses: attempts
# runs: 2
# in_process: rests_on=filesystem
# in_process: why=the working folder has a path of the host
import resource
import signal

mask = os.umask(0o777)
attempts.holds("umask", mask == 0o022, oct(mask))
attempts.holds("cwd", os.getcwd() == "/workspace", os.getcwd())
attempts.holds("variable", "LEFT" not in os.environ, sorted(os.environ))
ignored = [number for number in range(1, 65) if number not in (32, 33) and signal.getsignal(number) == signal.SIG_IGN]
attempts.holds("ignored signals", set(ignored) <= {signal.SIGPIPE, signal.SIGXFSZ}, str(ignored))
attempts.holds("blocked signals", not signal.pthread_sigmask(signal.SIG_BLOCK, []), "none")
attempts.holds("nice", os.nice(0) == int(os.environ["PROBE_HOST_NICE"]), os.nice(0))
attempts.holds("files", resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 100, str(resource.getrlimit(resource.RLIMIT_NOFILE)))
os.environ["LEFT"] = "1"
os.chdir("/tmp")
resource.setrlimit(resource.RLIMIT_NOFILE, (50, 50))
os.nice(5)
result = attempts.result()
