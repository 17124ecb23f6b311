# what: Decimal, fractions, data classes, enums and dates, made into data by the program.
# expect_result: {"price": "0.30", "third": "1/3", "day": "2026-11-21", "colour": "RED", "point": {"x": 1, "y": 2}}
import dataclasses
import datetime
import decimal
import enum
import fractions


@dataclasses.dataclass
class Point:
    x: int
    y: int


class Colour(enum.Enum):
    RED = 1


result = {"price": str(decimal.Decimal("0.10") + decimal.Decimal("0.20")), "third": str(fractions.Fraction(2, 6)),
          "day": datetime.date(2026, 11, 21).isoformat(), "colour": Colour.RED.name, "point": dataclasses.asdict(Point(1, 2))}
