# what: Hashes, keyed hashes, key derivation and comparison.
# expect_result: ["ba7816bf", "a9993e36", true, 64, true]
import hashlib
import hmac

result = [hashlib.sha256(b"abc").hexdigest()[:8], hashlib.sha1(b"abc").hexdigest()[:8],
          hmac.compare_digest(hmac.new(b"k", b"m", "sha256").digest(), hmac.digest(b"k", b"m", "sha256")),
          len(hashlib.scrypt(b"p", salt=b"s", n=1024, r=8, p=1)), hashlib.blake2b(b"x").digest_size == 64]
