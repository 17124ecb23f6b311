"""Data in, data out: INPUT_DATA is the caller's JSON value, `result` is what goes back."""

# Plain Python has no INPUT_DATA; a run without --input has None.
orders = globals().get("INPUT_DATA") or [
    {"item": "tea", "price": 3.5, "count": 2},
    {"item": "scone", "price": 2.25, "count": 3},
]

result = {
    "items": [order["item"] for order in orders],
    "total": round(sum(order["price"] * order["count"] for order in orders), 2),
}
print(f"{len(orders)} orders, {result['total']:.2f} in all")
