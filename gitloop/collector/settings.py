"""How a collector runs, and what it refuses to run as."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass, field
from pathlib import Path

from gitloop.errors import ConfigError

FEEDBACK_PATH = "/v1/feedback"
TRACES_PATH = "/v1/traces"

_SHORTEST_TOKEN = 16


@dataclass(frozen=True, slots=True)
class Settings:
    """How a collector runs.

    Attributes:
        feedback_folder: The spool that gets events.
        traces_folder: The spool that gets spans.
        host: Address to listen on; without a token only a loopback one.
        port: TCP port; 4318 is where OpenTelemetry's exporters send to by default. 0: any.
        token: Bearer token that every request needs; "" asks for none.
        browser_key: Key that pages send with feedback, as ?key=…; it allows nothing else. "": none.
        origins: Origins of pages that may send, e.g. "https://app.example.com".
        proxies: Addresses of proxies whose X-Forwarded-For is believed.
        max_body_bytes: Largest body, packed or not.
        max_events: Most events in a request.
        max_waiting_bytes: Most bytes in memory: bodies under way and lines that wait for the disk.
        rate: Events and spans per second that one address may send on average; 0 is any.
        min_free_bytes: Room on the disk below which nothing is taken in, so that sealing has some.
        body_s: Seconds that a request may take to arrive.
        stop_s: Seconds that requests under way get when the collector stops.
    """

    feedback_folder: Path
    traces_folder: Path
    host: str = "127.0.0.1"
    port: int = 4318
    token: str = field(default="", repr=False)
    browser_key: str = field(default="", repr=False)
    origins: tuple[str, ...] = ()
    proxies: tuple[str, ...] = ()
    max_body_bytes: int = 8 << 20
    max_events: int = 1000
    max_waiting_bytes: int = 64 << 20
    rate: float = 10_000.0
    min_free_bytes: int = 64 << 20
    body_s: float = 30.0
    stop_s: float = 10.0

    def check(self) -> None:
        """Refuse what would be open to everybody, or open by a key that can be guessed.

        Raises:
            ConfigError: Another address than loopback without a token, a short token, no origin.
        """
        if not self.token and not is_loopback(self.host):
            raise ConfigError(
                f"a collector on {self.host} needs a token: anybody there could write",
                hint="set GITLOOP_TOKEN, or give --token-file FILE, or leave --host away",
            )
        for name, secret in (("token", self.token), ("browser key", self.browser_key)):
            if secret and (len(secret) < _SHORTEST_TOKEN or not secret.isascii()):
                raise ConfigError(
                    f"the {name} is shorter than {_SHORTEST_TOKEN} ASCII characters",
                    hint="make one: python3 -c 'import secrets; print(secrets.token_urlsafe())'",
                )
        if self.browser_key and not self.token:
            raise ConfigError("a browser key needs a token beside it", hint="set GITLOOP_TOKEN")
        for origin in self.origins:
            scheme, separator, rest = origin.partition("://")
            if scheme not in ("http", "https") or not separator or not rest or "/" in rest:
                raise ConfigError(
                    f"{origin} is no origin", hint="e.g. --origin https://app.example.com"
                )


def is_loopback(host: str) -> bool:
    """Whether a server on this address is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        pass
    try:
        found = socket.getaddrinfo(host, None)
    except OSError:
        return False
    return all(ipaddress.ip_address(address[4][0]).is_loopback for address in found)
