# what: A figure is captured as a display, and saved to a file as well.
# expect_result: true
# needs: matplotlib
# flags: --memory 768m --timeout 90s --collect *.png
# displays: image/png
# files: plot.png
import os

import matplotlib.pyplot as plt

plt.plot([1, 2, 3], [1, 4, 9])
plt.title("squares")
plt.savefig("plot.png")
plt.show()
result = os.path.getsize("plot.png") > 1000
