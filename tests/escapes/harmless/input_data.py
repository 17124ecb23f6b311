# what: The input comes back as it was given.
# flags: --input '{"a":[1,2.5,null,true,"gr\u00fc\u00dfe"],"big":123456789012345678901234567890}'
# expect_result: {"a": [1, 2.5, null, true, "grüße"], "big": 123456789012345678901234567890}
result = INPUT_DATA
