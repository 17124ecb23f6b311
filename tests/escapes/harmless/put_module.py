# what: Imports a module that was put into the workspace.
# flags: --file helper.py={data}/helper.py
# expect_result: [42, "/workspace/helper.py"]
import helper

result = [helper.answer(), helper.__file__]
