"""When an event happened: RFC 3339 text to milliseconds, strictly, and fast for the usual forms."""

from __future__ import annotations

import re
from datetime import datetime

from steamlab.decoding.reasons import Rejected, show

__all__ = ["event_ms"]

_DATE_TIME = r"([0-9]{4})-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3])(?::[0-5][0-9]){2}"
_RFC3339 = re.compile(
    rf"({_DATE_TIME})(?:\.([0-9]+))?(Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])",
)
_NAIVE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?")

# The usual forms come apart into a minute, a second and an end; minutes are remembered.
_minutes: dict[str, int] = {}
_SECONDS = {f":{second:02}": second * 1000 for second in range(60)}
_ENDS = {"Z": 0} | {f".{ms:03}Z": ms for ms in range(1000)}


def event_ms(timestamp: str) -> int:
    """Return an RFC 3339 timestamp as milliseconds since 1970, UTC.

    Raises `Rejected` (a ValueError): timestamp_no_tz or timestamp_bad. A second of 60 is bad too:
    there was none since 2016.
    """
    try:
        return _minutes[timestamp[:16]] + _SECONDS[timestamp[16:19]] + _ENDS[timestamp[19:]]
    except KeyError:
        return _parse_timestamp(timestamp)


def _parse_timestamp(timestamp: str) -> int:
    match = _RFC3339.fullmatch(timestamp)
    if match is None:
        code = "timestamp_no_tz" if _NAIVE.fullmatch(timestamp) else "timestamp_bad"
        raise Rejected(code, f"{show(timestamp)} is not like 2025-11-21T10:30:45Z")
    whole, year, fraction, offset = match.groups()
    try:
        moment = datetime.fromisoformat(whole + ("+00:00" if offset == "Z" else offset))
    except ValueError as error:
        raise Rejected("timestamp_bad", f"{show(timestamp)}: {error}") from None
    if int(year) > 2100:
        raise Rejected("timestamp_bad", f"{show(timestamp)} is after the year 2100")
    ms = int(moment.timestamp()) * 1000 + int(((fraction or "") + "000")[:3])
    if offset == "Z":
        if len(_minutes) >= 100_000:  # hostile timestamps must not fill the memory
            _minutes.clear()
        _minutes[timestamp[:16]] = ms - ms % 60_000
    return ms
