"""Where an engine is: a unix socket, or an address with or without TLS."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass, field
from typing import Optional, Protocol
from urllib.parse import urlsplit

__all__ = ["Endpoint", "Fixed", "Place", "parse_url"]


@dataclass(frozen=True)
class Endpoint:
    """`fixed` holds the header lines that all requests have."""

    fixed: bytes = field(repr=False)
    unix_path: Optional[str] = None
    host: str = ""
    port: int = 0
    tls: Optional[ssl.SSLContext] = None
    prefix: str = ""  # of every path, without a slash at its end

    @property
    def name(self) -> str:
        return f"unix:{self.unix_path}" if self.unix_path else f"{self.host}:{self.port}"


class Place(Protocol):
    """Says where an engine is whenever it is asked."""

    def known(self) -> Optional[Endpoint]:
        """The endpoint, where that takes no time."""

    def find(self) -> Endpoint:
        """The same; may start an engine first."""


class Fixed:
    """A place that never changes."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def known(self) -> Optional[Endpoint]:
        return self._endpoint

    def find(self) -> Endpoint:
        return self._endpoint


def parse_url(url: str, api_key: Optional[str] = None, allow_plaintext_key: bool = False) -> Endpoint:
    """The endpoint of unix:/path, http://host:port or https://host. Raises ValueError with one sentence.

    A key goes in the clear only to this host, unless `allow_plaintext_key`. TLS trusts what OpenSSL does
    (SSL_CERT_FILE names further authorities).
    """
    if url.startswith("unix:"):
        path = url[len("unix:"):]
        path = path[2:] if path.startswith("//") else path
        if not path.startswith("/"):
            raise ValueError(f"{url!r} needs an absolute path: write unix:/run/casemate/engine.sock")
        return Endpoint(_fixed("casemate", api_key), unix_path=path)
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{url!r} is no address of an engine: write http://HOST:PORT, https://HOST or unix:/PATH")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError(f"{parts.scheme}://{parts.hostname} has more than a host, a port and a path: give the key "
                         "as api_key or in CASEMATE_API_KEY")
    tls = ssl.create_default_context() if parts.scheme == "https" else None
    if api_key and tls is None and not allow_plaintext_key and not _is_loopback(parts.hostname):
        raise ValueError(f"the key would go to {parts.hostname} in the clear: use https, or say "
                         "allow_plaintext_key=True")
    port = parts.port or (443 if tls else 80)
    return Endpoint(_fixed(parts.netloc, api_key), host=parts.hostname, port=port, tls=tls,
                    prefix=parts.path.rstrip("/"))


def _fixed(host: str, api_key: Optional[str]) -> bytes:
    text = f"Host: {host}\r\nUser-Agent: casemate-python\r\n"
    if api_key:
        if not api_key.isascii() or not api_key.isprintable():
            raise ValueError("the API key has characters that no key has: look for a line end that came with it")
        text += f"Authorization: Bearer {api_key}\r\n"
    return text.encode("ascii")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
