# what: Predicts the random numbers of another run from its own.
# expect: contained
# compare: different
# runs: 2
import os
import random
import secrets
import ssl
import tempfile
import uuid

value = {"random": random.random(), "urandom": os.urandom(8).hex(), "uuid4": str(uuid.uuid4()), "uuid1": str(uuid.uuid1()),
         "ssl": ssl.RAND_bytes(8).hex(), "secrets": secrets.token_hex(8), "temporary name": tempfile.mktemp(),
         "system random": random.SystemRandom().random()}
result = {"escaped": False, "evidence": "compared by the runner", "value": value}
