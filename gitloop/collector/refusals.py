"""What the collector answers to a request that it does not take."""

from __future__ import annotations


class Refusal(Exception):  # noqa: N818 -- an answer, not a failure of the collector
    """An answer other than success.

    Args:
        status: HTTP status: 4xx where sending it again is no use, 429 and 503 where it is.
        words: Why, for whoever sent it.
        retry_after_s: Seconds to wait before it is sent again; 0 says nothing.
    """

    def __init__(self, status: int, words: str, *, retry_after_s: int = 0) -> None:
        super().__init__(words)
        self.status = status
        self.words = words
        self.retry_after_s = retry_after_s
