"""Labelled lines for the redactor: secrets in the forms that their providers describe, in the places where they
turn up, and ordinary lines that look a little like them. Made from a seed, so that nothing here is a key."""

import base64
import hashlib
import json
import random
import string
import uuid
from typing import Callable, NamedTuple

ALNUM = string.ascii_letters + string.digits
LOWER_ALNUM = string.ascii_lowercase + string.digits
URL_SAFE = ALNUM + "_-"
HEX = "0123456789abcdef"
BASE32 = string.ascii_uppercase + "234567"


class Labelled(NamedTuple):
    kind: str
    line: str
    secret: str


def chars(source: random.Random, alphabet: str, count: int) -> str:
    """`count` characters as a machine makes them: never without a digit where the alphabet has digits."""
    text = "".join(source.choice(alphabet) for _ in range(count))
    if count >= 8 and set(alphabet) & set(string.digits) and not set(text) & set(string.digits):
        return chars(source, alphabet, count)
    return text


def encoded(source: random.Random, count: int) -> str:
    return base64.b64encode(source.randbytes(count)).decode()


def jwt(source: random.Random) -> str:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    header = {"alg": source.choice(["HS256", "RS256", "ES256"]), "typ": "JWT"}
    body = {"sub": str(uuid.UUID(bytes=source.randbytes(16))), "iat": source.randrange(1_600_000_000, 1_800_000_000)}
    signature = base64.urlsafe_b64encode(source.randbytes(32)).decode().rstrip("=")
    return f"{part(header)}.{part(body)}.{signature}"


def password(source: random.Random) -> str:
    word = source.choice(["Winter", "dragon", "Sommer", "horse", "Monkey", "letmein", "admin", "Berlin", "P@ssw0rd"])
    return word + chars(source, string.digits, source.randrange(2, 5)) + source.choice(["!", "", "#", "?", "$", "_x"])


# Tokens that are known by their own form, wherever they stand.
TOKENS: dict[str, Callable[[random.Random], str]] = {
    "aws access key id": lambda s: s.choice(["AKIA", "ASIA"]) + chars(s, BASE32, 16),
    "google api key": lambda s: "AIza" + chars(s, URL_SAFE, 35),
    "google oauth token": lambda s: "ya29." + chars(s, URL_SAFE, 120),
    "google oauth client secret": lambda s: "GOCSPX-" + chars(s, URL_SAFE, 28),
    "github token": lambda s: s.choice(["ghp_", "gho_", "ghu_", "ghs_", "ghr_"]) + chars(s, ALNUM, 36),
    "github fine-grained token": lambda s: f"github_pat_{chars(s, ALNUM, 22)}_{chars(s, ALNUM, 59)}",
    "gitlab token": lambda s: "glpat-" + chars(s, URL_SAFE, 20),
    "slack token": lambda s: f"xoxb-{chars(s, string.digits, 12)}-{chars(s, string.digits, 12)}-{chars(s, ALNUM, 24)}",
    "slack app token": lambda s: f"xapp-1-A{chars(s, string.ascii_uppercase + string.digits, 10)}-"
                                 f"{chars(s, string.digits, 13)}-{chars(s, HEX, 64)}",
    "slack webhook": lambda s: "https://hooks.slack.com/services/T{}/B{}/{}".format(
        chars(s, string.ascii_uppercase + string.digits, 9), chars(s, string.ascii_uppercase + string.digits, 9),
        chars(s, ALNUM, 24)),
    "discord webhook": lambda s: f"https://discord.com/api/webhooks/{chars(s, string.digits, 18)}/"
                                 f"{chars(s, URL_SAFE, 68)}",
    "telegram bot token": lambda s: f"{s.randrange(10**8, 10**10)}:AA{chars(s, URL_SAFE, 33)}",
    "stripe key": lambda s: s.choice(["sk_live_", "rk_live_", "sk_test_"]) + chars(s, ALNUM, 24),
    "stripe webhook secret": lambda s: "whsec_" + chars(s, ALNUM, 32),
    "openai key": lambda s: "sk-proj-" + chars(s, URL_SAFE, 74) + "T3BlbkFJ" + chars(s, URL_SAFE, 74),
    "openai old key": lambda s: "sk-" + chars(s, ALNUM, 20) + "T3BlbkFJ" + chars(s, ALNUM, 20),
    "anthropic key": lambda s: "sk-ant-api03-" + chars(s, URL_SAFE, 93) + "AA",
    "hugging face token": lambda s: "hf_" + chars(s, string.ascii_letters, 34),
    "groq key": lambda s: "gsk_" + chars(s, ALNUM, 52),
    "replicate token": lambda s: "r8_" + chars(s, ALNUM, 37),
    "xai key": lambda s: "xai-" + chars(s, ALNUM, 80),
    "perplexity key": lambda s: "pplx-" + chars(s, ALNUM, 48),
    "nvidia key": lambda s: "nvapi-" + chars(s, URL_SAFE, 64),
    "npm token": lambda s: "npm_" + chars(s, ALNUM, 36),
    "pypi token": lambda s: "pypi-AgEIcHlwaS5vcmc" + chars(s, URL_SAFE, 150),
    "rubygems key": lambda s: "rubygems_" + chars(s, HEX, 48),
    "docker token": lambda s: "dckr_pat_" + chars(s, URL_SAFE, 27),
    "sendgrid key": lambda s: f"SG.{chars(s, URL_SAFE, 22)}.{chars(s, URL_SAFE, 43)}",
    "twilio key": lambda s: "SK" + chars(s, HEX, 32),
    "mailgun key": lambda s: "key-" + chars(s, HEX, 32),
    "mailchimp key": lambda s: f"{chars(s, HEX, 32)}-us{s.randrange(1, 21)}",
    "shopify token": lambda s: s.choice(["shpat_", "shpca_", "shpss_"]) + chars(s, HEX, 32),
    "square token": lambda s: "sq0atp-" + chars(s, URL_SAFE, 22),
    "digitalocean token": lambda s: "dop_v1_" + chars(s, HEX, 64),
    "databricks token": lambda s: "dapi" + chars(s, HEX, 32),
    "vault token": lambda s: "hvs." + chars(s, URL_SAFE, 90),
    "terraform cloud token": lambda s: f"{chars(s, ALNUM, 14)}.atlasv1.{chars(s, URL_SAFE, 67)}",
    "pulumi token": lambda s: "pul-" + chars(s, HEX, 40),
    "grafana token": lambda s: f"glsa_{chars(s, ALNUM, 32)}_{chars(s, HEX, 8)}",
    "new relic key": lambda s: "NRAK-" + chars(s, string.ascii_uppercase + string.digits, 27),
    "linear key": lambda s: "lin_api_" + chars(s, ALNUM, 40),
    "notion token": lambda s: "ntn_" + chars(s, string.digits, 11) + chars(s, ALNUM, 35),
    "airtable token": lambda s: f"pat{chars(s, ALNUM, 14)}.{chars(s, HEX, 64)}",
    "figma token": lambda s: "figd_" + chars(s, URL_SAFE, 40),
    "postman key": lambda s: f"PMAK-{chars(s, HEX, 24)}-{chars(s, HEX, 34)}",
    "doppler token": lambda s: "dp.pt." + chars(s, ALNUM, 43),
    "planetscale token": lambda s: "pscale_tkn_" + chars(s, URL_SAFE, 43),
    "atlassian token": lambda s: "ATATT3xFfGF0" + chars(s, URL_SAFE, 171) + "=" + chars(s, HEX.upper(), 8),
    "age secret key": lambda s: "AGE-SECRET-KEY-1" + chars(s, "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58),
    "json web token": jwt,
}
TOKEN_PLACES = [
    "{}", "token: {}", "export API_KEY={}", 'client = Client("{}")', "Authorization: Bearer {}",
    "curl -H 'Authorization: Bearer {}' https://api.example.org/v1", '{{"id": 7, "value": "{}", "ok": true}}',
    "2026-11-21T10:00:00Z ERROR auth failed for {} after 3 attempts", "requests.get(url, params={{'key': '{}'}})",
    "  value = '{}'  # set by the operator", "<td>{}</td>", "ValueError: bad key {}", "['a', '{}', 'b']",
    "the key ({}) was refused.", "key={}&page=2", "DEBUG headers={{'X-Api-Key': '{}'}}", "a,b,{},d",
]
# Values that are known by the name that they are assigned to.
NAMED: dict[str, tuple[list[str], Callable[[random.Random], str]]] = {
    "aws secret key": (["aws_secret_access_key", "AWS_SECRET_ACCESS_KEY", "SecretAccessKey"],
                       lambda s: encoded(s, 30)),
    "password": (["password", "DB_PASSWORD", "passwd", "MYSQL_ROOT_PASSWORD", "smtp_password", "PGPASSWORD"], password),
    "api key": (["api_key", "API_KEY", "apiKey", "SERVICE_API_KEY", "x-api-key"], lambda s: chars(s, ALNUM, 32)),
    "secret": (["SECRET_KEY", "client_secret", "clientSecret", "app_secret", "JWT_SECRET"],
               lambda s: chars(s, ALNUM + "+/", 40)),
    "token": (["auth_token", "ACCESS_TOKEN", "refresh_token", "bot_token", "sessionToken"],
              lambda s: chars(s, HEX, 40)),
    "azure storage key": (["AccountKey", "azure_storage_key"], lambda s: encoded(s, 64)),
    "datadog key": (["DD_API_KEY", "datadog_api_key"], lambda s: chars(s, HEX, 32)),
}
NAMED_PLACES = [
    "{name}={value}", "export {name}={value}", '{name} = "{value}"', "{name}: {value}", '"{name}": "{value}"',
    "{name}='{value}'", "os.environ['{name}'] = '{value}'", "  {name}: '{value}'", '{{"{name}":"{value}"}}',
    "INFO config loaded {name}={value} retries=3", "--{name} {value}", "<{name}>{value}</{name}>",
    "{{'{name}': '{value}', 'port': 5432}}",
]
ADDRESSES = [
    "postgresql://app:{}@db.example.org:5432/main", "mysql://root:{}@127.0.0.1/shop", "redis://:{}@cache:6379/0",
    "mongodb+srv://admin:{}@cluster0.example.net/db?w=majority", "amqp://svc:{}@mq:5672/%2f",
    "https://user:{}@git.example.org/a/b.git", "sqlalchemy.exc.OperationalError: (postgresql://u:{}@h/db) refused",
]


def private_key(source: random.Random) -> tuple[str, str]:
    kind = source.choice(["RSA PRIVATE KEY", "PRIVATE KEY", "EC PRIVATE KEY", "OPENSSH PRIVATE KEY",
                          "ENCRYPTED PRIVATE KEY", "DSA PRIVATE KEY"])
    lines = [encoded(source, 48) for _ in range(source.randrange(2, 26))]
    glue = source.choice(["\n", "\\n", "\r\n"])
    return glue.join([f"-----BEGIN {kind}-----", *lines, f"-----END {kind}-----"]), lines[len(lines) // 2]


def secrets(source: random.Random, each: int) -> list[Labelled]:
    """`each` lines of every kind; the line has the secret once, between text that must stay."""
    made = []
    for kind, token in TOKENS.items():
        for _ in range(each):
            value = token(source)
            made.append(Labelled(kind, source.choice(TOKEN_PLACES).format(value), value))
    for kind, (names, make) in NAMED.items():
        for _ in range(3 * each):
            value = make(source)
            line = source.choice(NAMED_PLACES).format(name=source.choice(names), value=value)
            made.append(Labelled(kind, line, value))
    for _ in range(3 * each):
        value = chars(source, ALNUM, source.randrange(8, 24))
        made.append(Labelled("password in an address", source.choice(ADDRESSES).format(value), value))
    for _ in range(each):
        block, middle = private_key(source)
        made.append(Labelled("private key", f"key: {block} end", middle))
        basic = base64.b64encode(f"user:{password(source)}".encode()).decode()
        made.append(Labelled("basic credentials", f"> Authorization: Basic {basic}", basic))
    return made


WORDS = ("the data frame has been loaded from disk and every column was checked before token counts were "
         "written to a report about password rules secret santa lists api usage and key figures").split()


def placeholder(source: random.Random) -> str:
    return source.choice([
        "API_KEY=your_api_key_here", "password: <your password>", "export TOKEN=${TOKEN}", "sk-xxxxxxxxxxxxxxxxxxxx",
        "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE", "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "password = getpass.getpass()", "api_key = os.environ['API_KEY']", "SECRET_KEY = '********'",
        "postgresql://user:${DB_PASSWORD}@host/db", "token = response.json()['token']", "Authorization: Bearer $TOKEN",
        "    self.password = password", "def login(user, password):", "if token is None:", "secret = get_secret(name)",
        "password_length = 12", "max_tokens=4096", "The password must have 8 characters.", "Enter password: ",
        "client_secret=settings.client_secret,", '{"password": null, "token": ""}', "tokens: 1234", "PWD=/home/user",
        'parser.add_argument("--token", help="the token to use")', "next_token: eyJvZmZzZXQiOiAxMDB9", "secrets: []",
        "token_type=bearer", "    raise ValueError('invalid token')", "password (again):", "public_key = load(path)",
    ])


ORDINARY: list[Callable[[random.Random], str]] = [
    lambda s: f"sha256:{chars(s, HEX, 64)}",
    lambda s: f"commit {chars(s, HEX, 40)}",
    lambda s: f"{hashlib.md5(s.randbytes(8)).hexdigest()}  data_{s.randrange(100)}.csv",
    lambda s: f"id={uuid.UUID(bytes=s.randbytes(16))} status=ok",
    lambda s: "[" + ", ".join(f"{s.gauss(0, 1):.8f}" for _ in range(8)) + "]",
    lambda s: f"array({[s.randrange(100000) for _ in range(12)]})",
    lambda s: f'  File "/usr/lib/python3/dist-packages/pandas/core/frame.py", line {s.randrange(9999)}, in merge',
    lambda s: f"numpy=={s.randrange(3)}.{s.randrange(30)}.{s.randrange(10)} --hash=sha256:{chars(s, HEX, 64)}",
    lambda s: f"{s.randrange(2020, 2030)}-0{s.randrange(1, 10)}-1{s.randrange(10)}T0{s.randrange(10)}:00:00."
              f"{s.randrange(10**6)}Z INFO served in {s.random():.3f} s",
    lambda s: " ".join(s.choice(WORDS) for _ in range(12)),
    lambda s: f"pip/_vendor/rich/{s.choice(WORDS)}.py,sha256={chars(s, URL_SAFE, 43)},{s.randrange(9999)}",
    lambda s: f"<object object at 0x{chars(s, HEX, 12)}>",
    lambda s: f"data:image/png;base64,iVBORw0KGgo{encoded(s, 60)}",
    lambda s: f"https://example.org/a/{chars(s, HEX, 24)}/page?x={s.randrange(1000)}&sort=asc",
    lambda s: f"MAC 02:42:{chars(s, HEX, 2)}:{chars(s, HEX, 2)}:00:01 rtt {s.random():.3f} ms",
    lambda s: f"for key_{s.randrange(99)} in sorted(table): total += table[key_{s.randrange(99)}]",
    lambda s: f"|{s.randrange(10**9):>12}|{s.random():.6f}|{chars(s, string.ascii_uppercase, 6)}|",
    lambda s: f"etag: \"{chars(s, HEX, 32)}\"",
    lambda s: f"ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQ{encoded(s, 90)} user@host",
    lambda s: f"ATGC {chars(s, 'ACGT', 80)}",
    lambda s: f"build 2.{s.randrange(99)}.{s.randrange(99)}+git.{chars(s, HEX, 7)} ({chars(s, HEX, 40)})",
    placeholder,
]


def ordinary(source: random.Random, count: int) -> list[str]:
    return [source.choice(ORDINARY)(source) for _ in range(count)]
