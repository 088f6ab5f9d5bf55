"""A picture of something that goes on: redrawn by a thread until it is stopped."""

from __future__ import annotations

import atexit
import contextvars
import threading
import time
import weakref
from typing import TypeVar

import plotly.graph_objects as go

from steamlab.drawing.ownership import own
from steamlab.drawing.screen import Screen, trees

__all__ = ["Picture"]

_Self = TypeVar("_Self", bound="Picture")

_pictures: weakref.WeakSet[Picture] = weakref.WeakSet()


class Picture:
    """Shows what `picture()` returns, `fps` times a second until `stop()`; then it stays as it is.

    Seconds count from when it opened. Running its cell again ends it. `redraws` counts the
    drawings, `error` is what ended it early, if anything did.
    """

    def __init__(self, what: str, fps: float) -> None:
        self._what, self._period = what, 1 / fps
        self._opened = time.monotonic()
        self._ended: float | None = None
        self._halt = threading.Event()
        self.redraws = 0
        self.error: BaseException | None = None

    def __repr__(self) -> str:
        return f"({self._what})"

    def _ipython_display_(self) -> None:
        """It was shown where it was made."""

    def picture(self) -> tuple[go.Figure, str] | None:
        """Return what to show now, and a line of words; None while Kafka does not answer."""
        raise NotImplementedError

    def now(self) -> float:
        """Return the seconds since it opened, and after its end those until then."""
        return self._clock() - self._opened

    def stop(self: _Self, timeout: float = 10) -> _Self:
        """End it, and keep what it shows as an ordinary chart. Stopping twice is no error."""
        self._halt.set()
        if self._thread is not threading.current_thread():
            self._thread.join(timeout)
        if self._screen is not None:
            self._screen.freeze_again()
        return self

    def _begin(self, first: go.Figure) -> None:
        """Show a first figure, and let the thread go on from there."""
        self._screen = Screen.open(self._halt.set, first.layout.height, first)
        own(self._retire)
        _pictures.add(self)
        run = contextvars.copy_context().run  # it carries which cell an output belongs to
        self._thread = threading.Thread(
            target=run, args=(self._run,), name=self._what.replace(" ", "-"), daemon=True
        )
        self._thread.start()

    def _clock(self) -> float:
        return time.monotonic() if self._ended is None else self._ended

    def _retire(self) -> None:
        self.stop()
        if self._screen is not None:
            self._screen.close()

    def _run(self) -> None:
        try:
            while not self._halt.is_set():
                began = time.monotonic()
                self._draw()
                self._halt.wait(max(0.05, began + self._period - time.monotonic()))
            self._ended = time.monotonic()
            self._draw()
        except Exception as error:  # a thread has nobody to raise to: the status line says it
            self.error = error
        finally:
            self._ended = self._clock()
            self._finish()

    def _draw(self) -> None:
        shown = self.picture()
        if shown is not None:
            self.redraws += 1
        if self._screen is None:
            return
        if shown is None:
            self._screen.say("away", f"Kafka does not answer. The {self._what} waits.")
        else:
            self._screen.draw(*trees(shown[0]))
            self._screen.say("moves", shown[1])

    def _finish(self) -> None:
        if self._screen is None:
            return
        if self.error is not None:
            self._screen.say("failed", f"The {self._what} stopped: {self.error}")
        self._screen.freeze()


@atexit.register
def _stop_all() -> None:
    """Let the threads end before the interpreter goes."""
    for picture in list(_pictures):
        picture.stop(timeout=2)
