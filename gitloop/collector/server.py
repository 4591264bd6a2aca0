"""Runs the collector until it is told to stop."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Callable

from gitloop.collector.app import Collector
from gitloop.collector.settings import Settings
from gitloop.errors import ConfigError, DataError

_BACKLOG = 1_024


def run(settings: Settings, tell: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; requests under way are answered first.

    Args:
        settings: How.
        tell: Told the address when requests are taken.

    Raises:
        ConfigError: The settings are not safe, the extra [serve] is not installed, or the address
            cannot be had.
        DataError: A spool cannot be written.
    """
    settings.check()
    try:
        from gitloop.collector.protocol import BoundedServer, configure  # noqa: PLC0415
    except ImportError as error:
        raise ConfigError(
            f"the collector needs {error.name}", hint="pip install 'gitloop[serve]'"
        ) from error
    for folder in (settings.feedback_folder, settings.traces_folder):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            raise DataError(
                f"{folder} cannot be written: {error.strerror}", hint="check its rights"
            ) from error
    with _listener(settings) as listener:
        host, port = listener.getsockname()[:2]
        tell(f"http://{f'[{host}]' if ':' in host else host}:{port}")
        BoundedServer(configure(Collector(settings), settings)).run(sockets=[listener])


def _listener(settings: Settings) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(address, family=family, backlog=_BACKLOG)
    except OSError as error:
        raise ConfigError(
            f"{settings.host} port {settings.port} cannot be had: {error.strerror}",
            hint="choose another with --host and --port",
        ) from error
