"""The collector: feedback and spans over HTTP become durable lines of the spool.

An answer of 2xx means that the event is written and synced. Many requests share one sync (group
commit). Memory is bounded: bodies by `Settings.max_body_bytes`, what waits for the disk by
`Settings.max_waiting_bytes`; beyond that the sender is told to come back (429).
"""

from gitloop.collector.app import Collector
from gitloop.collector.server import run
from gitloop.collector.settings import FEEDBACK_PATH, TRACES_PATH, Settings

__all__ = ["FEEDBACK_PATH", "TRACES_PATH", "Collector", "Settings", "run"]
