# what: A table is captured as a display without asking.
# expect_result: 2
# needs: pandas
# flags: --memory 512m --timeout 60s
# displays: text/html
import pandas

table = pandas.DataFrame({"a": [1, 2]})
display(table)
result = len(table)
