# what: Pickles classes and functions of the program itself, and inspects its own source.
# expect_result: ["Point(1, 2)", true, "main.py"]
# filename: main.py
import inspect
import os
import pickle


class Point:
    def __init__(self, x, y):
        self.x, self.y = x, y

    def __repr__(self):
        return f"Point({self.x}, {self.y})"


copy = pickle.loads(pickle.dumps(Point(1, 2)))
result = [repr(copy), "self.x, self.y = x, y" in inspect.getsource(Point), os.path.basename(__file__)]
