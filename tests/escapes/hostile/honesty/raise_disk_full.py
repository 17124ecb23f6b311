# what: Raises "no space left on device" although there is space.
# expect: status=error
raise OSError(28, "No space left on device", "/tmp/x")
