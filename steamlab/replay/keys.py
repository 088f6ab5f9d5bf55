"""Single keys from a terminal, and Ctrl-C as a wish instead of a crash."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any

__all__ = ["Keys", "interruptible"]


class Keys:
    """Read single keys while in a `with` block; without a terminal there are none.

    The terminal is as it was afterwards, also after an error.
    """

    def __init__(self, stdin: Any = None) -> None:
        self._stdin = sys.stdin if stdin is None else stdin
        self._saved: list[Any] | None = None

    def __enter__(self) -> Keys:
        if self._is_ours():
            import termios  # not on Windows, where there are no keys
            import tty

            self._saved = termios.tcgetattr(self._stdin.fileno())
            tty.setcbreak(self._stdin.fileno())
        return self

    def __exit__(self, *error: object) -> None:
        if self._saved is not None:
            import termios

            termios.tcsetattr(self._stdin.fileno(), termios.TCSADRAIN, self._saved)
            self._saved = None

    @property
    def are_there(self) -> bool:
        """Whether somebody can press one."""
        return self._saved is not None

    def read(self, timeout: float) -> str:
        """Return the key that is pressed within `timeout` seconds, or nothing."""
        if self._saved is not None:
            ready, _, _ = select.select([self._stdin], [], [], timeout)
            if ready and (key := os.read(self._stdin.fileno(), 1)):
                return key.decode("ascii", "replace")
            if not ready:
                return ""
        time.sleep(timeout)
        return ""

    def _is_ours(self) -> bool:
        # A job in the background that touches the terminal would be stopped by it.
        if os.name == "nt" or self._stdin is None or not self._stdin.isatty():
            return False
        with contextlib.suppress(OSError):
            return os.getpgrp() == os.tcgetpgrp(self._stdin.fileno())
        return False


@contextlib.contextmanager
def interruptible() -> Iterator[threading.Event]:
    """Turn the first Ctrl-C (or SIGTERM) into an event; the second interrupts as ever."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return

    def ask(number: int, frame: FrameType | None) -> None:
        asked.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
