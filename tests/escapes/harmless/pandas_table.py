# what: pandas: reads a put file, groups it, writes another.
# expect_result: {"north": 30, "south": 12}
# needs: pandas
# flags: --memory 512m --timeout 60s --file sales.csv={data}/sales.csv --collect *.csv
# files: totals.csv
import pandas

table = pandas.read_csv("sales.csv")
totals = table.groupby("region")["amount"].sum()
totals.to_csv("totals.csv")
result = {name: int(value) for name, value in totals.items()}
