"""Users as small numbers, used again when everything about a user is forgotten."""

from __future__ import annotations

import numpy as np

from steamlab.processor.facts import Columns

__all__ = ["Users"]


class Users(dict[str, int]):
    """Number users; a number is free again when its user has not been seen for long."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self._free: list[int] = []
        self._last_ms = np.empty(0, np.int64)

    def __missing__(self, user: str) -> int:
        if self._free:
            code = self._free.pop()
            self.names[code] = user
        else:
            code = len(self.names)
            self.names.append(user)
        self[user] = code
        return code

    def see(self, users: Columns, times: Columns) -> None:
        """Note when users were seen."""
        if len(self.names) > len(self._last_ms):
            spare = 1000 + len(self.names) // 4
            fresh = np.full(len(self.names) + spare - len(self._last_ms), -(2**62), np.int64)
            self._last_ms = np.concatenate([self._last_ms, fresh])
        np.maximum.at(self._last_ms, users, times)

    def forget(self, before_ms: int) -> None:
        """Free the numbers of those who were last seen before an instant."""
        seen = self._last_ms[: len(self.names)]
        for code in np.flatnonzero((seen < before_ms) & (seen > -(2**62))).tolist():
            del self[self.names[code]]
            self.names[code] = ""
            self._free.append(code)
            self._last_ms[code] = -(2**62)
