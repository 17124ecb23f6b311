# what: A pool of freshly started workers, which import the program by its file name.
# expect_result: [1, 8, 27]
# flags: --timeout 180s
# in_process: expect=status=error
# in_process: why=multiprocessing's locks need /dev/shm, and there is none
import multiprocessing


def cube(number):
    return number ** 3


if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        result = pool.map(cube, [1, 2, 3])
