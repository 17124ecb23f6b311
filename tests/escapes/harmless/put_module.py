# what: Imports a module that was put into the workspace.
# flags: --file helper.py={data}/helper.py
# expect_result: [42, "/workspace/helper.py"]
# in_process: expect_result=
# in_process: why=the workspace has a path of the host
import helper

result = [helper.answer(), helper.__file__]
