# what: A dictionary whose items never end.
# expect: status=result_invalid|error|timeout|memory_limit|ok
# flags: --timeout 3s --memory 128m
# wall_ms_max: 6000


class Endless(dict):
    def items(self):
        while True:
            yield "k", 1

    def __iter__(self):
        while True:
            yield "k"

    def __len__(self):
        return 1


result = Endless(a=1)
