# what: Has no result.
# expect_result: null
# stdout: done\n
print("done")
