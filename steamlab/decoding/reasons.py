"""Why an event is refused, or taken with a note: the codes, and the error that carries one."""

from __future__ import annotations

import json

__all__ = ["CODES", "NOTES", "Rejected", "show"]

# Where several codes fit, the first in this order applies.
CODES = (
    *("bad_encoding", "not_json", "too_large", "too_deep"),
    *("unknown_event_type", "wrong_topic", "no_key", "key_mismatch", "bad_header"),
    *("missing_field", "wrong_type", "unknown_value"),
    *("timestamp_no_tz", "timestamp_bad", "timestamp_future"),
    *("negative_price", "sale_price_missing", "sale_price_range", "negative_count"),
    *("empty_games", "total_mismatch", "bad_region"),
    *("id_conflict", "order_id_conflict"),
)
NOTES = ("region_alias", "unknown_field", "other_offset", "duplicate_key")


class Rejected(ValueError):  # noqa: N818 - the event's fault, not the program's
    """An event is refused: `code` is one of CODES, the message says why."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


def show(value: object) -> str:
    """Return any value as short text, as JSON would have it; plain ASCII, so harmless anywhere."""
    text = ascii(value) if isinstance(value, bytes) else json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
