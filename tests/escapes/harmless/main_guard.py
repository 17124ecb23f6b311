# what: The program is the main module.
# expect_result: "__main__"
if __name__ == "__main__":
    result = __name__
