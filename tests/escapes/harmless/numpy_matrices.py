# what: numpy: a matrix product by the threaded library, random numbers, files.
# expect_result: [333283335000, 500, true, [1.0, 2.0]]
# needs: numpy
# flags: --memory 512m
import numpy

matrix = numpy.ones((500, 500)) @ numpy.ones((500, 500))
numpy.save("/workspace/a.npy", numpy.array([1.0, 2.0]))
values = numpy.random.default_rng(1).normal(size=100000)
result = [int((numpy.arange(10000, dtype=numpy.int64) ** 2).sum()), int(matrix[0, 0]), bool(abs(values.mean()) < 0.05),
          numpy.load("/workspace/a.npy").tolist()]
