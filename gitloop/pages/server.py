"""A server on the loopback, for as long as one command runs."""

from __future__ import annotations

import socket
from contextlib import suppress
from types import TracebackType
from typing import Self

import uvicorn
from starlette.types import ASGIApp

from gitloop.errors import ConfigError

HOST = "127.0.0.1"


class LocalServer:
    """A server on 127.0.0.1 and nowhere else.

    Args:
        port: Where to listen; 0 for any free port.

    Raises:
        ConfigError: The port is taken.
    """

    def __init__(self, port: int = 0) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((HOST, port))
            self._socket.listen()  # who is quick waits, and is not refused
        except OSError as error:
            self._socket.close()
            raise ConfigError(
                f"port {port} cannot be used: {error.strerror}", hint="leave --port out"
            ) from error
        self.origin = f"http://{HOST}:{self._socket.getsockname()[1]}"
        self._server: uvicorn.Server | None = None

    def __enter__(self) -> Self:
        """The server, bound and not running yet."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the socket."""
        self._socket.close()

    def run(self, app: ASGIApp) -> None:
        """Serve the app until `stop` is called, or the person presses Ctrl-C."""
        config = uvicorn.Config(
            app,
            log_level="error",
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=2,
            server_header=False,
            date_header=False,
        )
        self._server = uvicorn.Server(config)
        with suppress(KeyboardInterrupt):  # the session's ordinary end
            self._server.run(sockets=[self._socket])

    def stop(self) -> None:
        """Answer what was asked, then end `run`."""
        if self._server is not None:
            self._server.should_exit = True
