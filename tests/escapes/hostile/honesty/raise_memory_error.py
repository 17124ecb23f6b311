# what: Raises MemoryError although there is memory.
# expect: status=error
raise MemoryError("I say so")
