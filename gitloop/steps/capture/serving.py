"""Serve: the collector takes feedback and spans over HTTP into the repository's spools."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gitloop.collector import Settings, run
from gitloop.errors import ConfigError, DataError
from gitloop.storage import spool
from gitloop.storage.files import read_text
from gitloop.workspace import Workspace


@dataclass(frozen=True, slots=True)
class ServePlan:
    """How the collector is to run; see `collector.Settings` for the units.

    Attributes:
        host: Address to listen on.
        port: TCP port; 0 is any.
        token: Bearer token, or "".
        token_file: File that holds it, or None.
        browser_key: Key of pages, or "".
        origins: Origins of pages that may send.
        proxies: Addresses of proxies whose word about the client is taken.
        max_body_mb: Largest body.
        rate: Events and spans per second and address.
    """

    host: str = "127.0.0.1"
    port: int = 4318
    token: str = ""
    token_file: Path | None = None
    browser_key: str = ""
    origins: tuple[str, ...] = ()
    proxies: tuple[str, ...] = ()
    max_body_mb: float = 8.0
    rate: float = 10_000.0


def serve(directory: Path, plan: ServePlan, tell: Callable[[str], None]) -> None:
    """Take feedback and spans in until the process is told to stop.

    Args:
        directory: A directory in the repository.
        plan: How.
        tell: Told the collector's address when it listens.

    Raises:
        ConfigError: The plan is not safe or cannot be carried out.
        DataError: A spool cannot be written.
    """
    root = Workspace(directory).root
    settings = Settings(
        feedback_folder=root / spool.FOLDERS["feedback"],
        traces_folder=root / spool.FOLDERS["traces"],
        host=plan.host,
        port=plan.port,
        token=_token(plan),
        browser_key=plan.browser_key,
        origins=plan.origins,
        proxies=plan.proxies,
        max_body_bytes=int(plan.max_body_mb * (1 << 20)),
        rate=plan.rate,
    )
    run(settings, tell)


def _token(plan: ServePlan) -> str:
    if plan.token_file is None:
        return plan.token
    try:
        found = read_text(plan.token_file).strip()
    except (DataError, OSError) as error:
        raise ConfigError(
            f"the token cannot be read: {error}", hint="name a file with --token-file"
        ) from error
    if not found:
        raise ConfigError(f"{plan.token_file.name} is empty", hint="put a token into it")
    return found
