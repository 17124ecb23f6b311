# what: Raises "resource temporarily unavailable" as fork does, although there are processes left.
# expect: status=error
raise BlockingIOError(11, "Resource temporarily unavailable")
