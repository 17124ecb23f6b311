# what: Subclasses of text, numbers and dictionaries whose representation injects fields into the answer.
# expect: status=ok|result_invalid|error
# forbid: injected-by-repr


class Number(float):
    def __repr__(self):
        return '1.0, "status": "injected-by-repr"'


class Text(str):
    def __str__(self):
        return '", "injected-by-repr": "'

    __repr__ = __str__


class Whole(int):
    def __repr__(self):
        return '1}, "status": "injected-by-repr"'


class Box(dict):
    def items(self):
        return [("injected-by-repr", 1)]


result = {"a": Number(1), "b": Whole(2), "c": Text("plain"), "d": True}
