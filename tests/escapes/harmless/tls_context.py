# what: Makes a TLS context with the system's certificates readable.
# expect_result: [true, true]
import os
import ssl

context = ssl.create_default_context()
paths = ssl.get_default_verify_paths()
result = [context.verify_mode == ssl.CERT_REQUIRED, paths.openssl_capath is None or isinstance(os.fspath(paths.openssl_capath), str)]
