# what: numpy: the inverse of a matrix, for which OpenBLAS reserves far more memory than it touches.
# expect_result: [[0.5, 0.0], [0.0, 0.25]]
# needs: numpy
import numpy

result = numpy.linalg.inv(numpy.diag([2.0, 4.0])).tolist()
