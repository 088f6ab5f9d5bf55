"""Many timestamps at once: texts of one form become a column of milliseconds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from steamlab.decoding.timestamps import event_ms

__all__ = ["NO_TIME", "to_times"]

NO_TIME = -(2**62)

_FORMS = {
    len(form): np.frombuffer(form.encode(), np.uint8)
    for form in ("0000-00-00T00:00:00Z", "0000-00-00T00:00:00.000Z")
}
_ZERO = ord("0")
_FIRST, _LAST = event_ms("0001-01-01T00:00:00Z"), event_ms("2100-12-31T23:59:59.999Z")


def to_times(texts: Sequence[str]) -> list[int]:
    """Return RFC 3339 timestamps as `event_ms` does; those that are bad are `NO_TIME`."""
    try:
        return _of_one_form(texts)
    except ValueError:
        return [_to_time(text) for text in texts]


def _of_one_form(texts: Sequence[str]) -> list[int]:
    """Let numpy read texts of one form; raises ValueError where anything is in doubt."""
    (length,) = set(map(len, texts))
    if length not in _FORMS:
        raise ValueError("not a usual form")
    joined, form = "".join(texts).encode("ascii"), _FORMS[length]
    above = np.frombuffer(joined, np.uint8).reshape(-1, length) - form
    if (above > np.where(form == _ZERO, 9, 0)).any():  # numpy would read other forms, too
        raise ValueError("not a usual form")
    without_z = np.frombuffer(joined, f"S{length}").astype(f"S{length - 1}")
    times: list[int] = without_z.astype("M8[ms]").astype(np.int64).tolist()
    if min(times) < _FIRST or max(times) > _LAST:
        raise ValueError("out of range")
    return times


def _to_time(text: str) -> int:
    try:
        return event_ms(text)
    except ValueError:
        return NO_TIME
