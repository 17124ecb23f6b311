# what: Every call of the mount family, old and new.
# expect: contained
# uses: attempts
# denial: syscall mount
os.makedirs("/tmp/there", exist_ok=True)
BIND, REMOUNT, MOVE, PRIVATE = 4096, 32, 8192, 1 << 18
calls = {
    "mount tmpfs": (165, b"none", b"/tmp/there", b"tmpfs", 0, None),
    "mount proc": (165, b"none", b"/tmp/there", b"proc", 0, None),
    "mount bind": (165, b"/", b"/tmp/there", None, BIND, None),
    "remount root": (165, None, b"/", None, REMOUNT | BIND, None),
    "remount tmp with exec": (165, None, b"/tmp", None, REMOUNT | BIND, None),
    "mount move": (165, b"/workspace", b"/tmp/there", None, MOVE, None),
    "make shared": (165, None, b"/", None, 1 << 20, None),
    "mount overlay": (165, b"none", b"/tmp/there", b"overlay", 0, b"lowerdir=/,upperdir=/tmp,workdir=/tmp"),
    "mount fuse": (165, b"none", b"/tmp/there", b"fuse", 0, b"fd=1,rootmode=40000,user_id=1000,group_id=1000"),
    "umount": (166, b"/proc", 2), "umount tmp": (166, b"/tmp", 2), "umount workspace": (166, b"/workspace", 0),
    "pivot_root": (155, b"/tmp", b"/tmp/there"), "open_tree": (428, -100, b"/", 1), "open_tree detached": (428, -100, b"/", 0x8001),
    "move_mount": (429, -100, b"/workspace", -100, b"/tmp/there", 0), "fsopen": (430, b"tmpfs", 0),
    "fsconfig": (431, 0, 0, None, None, 0), "fsmount": (432, 0, 0, 0), "fspick": (433, -100, b"/", 0),
    "mount_setattr": (442, -100, b"/", 0, bytes(32), 32), "statmount": (457, bytes(32), bytes(512), 512, 0),
    "listmount": (458, bytes(32), bytes(64), 8, 0), "open_tree_attr": (467, -100, b"/", 1, bytes(32), 32),
}
for name, call in calls.items():
    attempts.refused(name, raw(*call))
result = attempts.result()
