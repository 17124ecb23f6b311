# what: Who am I: getpass, pwd, the home folder.
# expect_result: [1000, true, "/tmp", "/tmp"]
# in_process: expect=status=error
# in_process: why=the user id has no name: /etc/passwd would be the host's
import getpass
import os
import pwd

result = [os.getuid(), len(getpass.getuser()) > 0 and pwd.getpwuid(os.getuid()).pw_name == getpass.getuser(),
          os.path.expanduser("~"), os.environ["HOME"]]
