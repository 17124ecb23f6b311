"""In which fields did women come to be the majority of graduates, and when?

Reads real figures with pandas, prints a table, returns it as data and draws a plot. Nothing here is special
to Casemate: `result` and the open figure are taken as they stand at the end, and plain Python runs it too.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

# In a sandbox the given folder is /workspace, the current folder; elsewhere the data is beside this file.
data = Path("degrees_women_usa.csv")
if not data.exists():
    data = Path(__file__).with_name("data") / data
degrees = pd.read_csv(data, index_col="Year")

first, last = degrees.index.min(), degrees.index.max()
table = pd.DataFrame({
    str(first): degrees.loc[first],
    str(last): degrees.loc[last],
    "change": degrees.loc[last] - degrees.loc[first],
    "first majority": [degrees.index[degrees[field] > 50].min() for field in degrees],
})
table = table.sort_values("change", ascending=False).round(1)
table["first majority"] = table["first majority"].astype("Int64").astype(str).replace("<NA>", "never")
print(f"Women among the bachelor's degrees of each field, USA, % ({first} to {last})\n")
print(table.to_string())

figure, axes = plt.subplots(figsize=(8, 5))
for field in [*table.index[:3], *table.index[-3:]]:
    axes.plot(degrees.index, degrees[field], label=field)
axes.axhline(50, color="grey", linewidth=0.8)
axes.set(title="Women among the bachelor's degrees of a field", xlabel="year", ylabel="%", ylim=(0, 100))
axes.legend(fontsize="small")
figure.tight_layout()

result = {
    "years": [int(first), int(last)],
    "fields": len(table),
    "majority_in": int((degrees.loc[last] > 50).sum()),
    "largest_rise": {"field": table.index[0], "points": float(table["change"].iloc[0])},
    "largest_fall": {"field": table.index[-1], "points": float(table["change"].iloc[-1])},
}
