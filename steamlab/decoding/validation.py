"""Why an event is refused: every reason code, the first that applies, in this order.

This is the slow and exact path. `events.decode` takes it only for what is not plainly clean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import cache
from typing import Any, Literal, NamedTuple, TypeAlias, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct

from steamlab.decoding.reasons import Rejected, show
from steamlab.decoding.strict_json import parse
from steamlab.decoding.timestamps import event_ms

__all__ = ["FUTURE_MS", "REGIONS", "Headers", "Inspected", "inspect", "read_headers"]

FUTURE_MS = 5 * 60 * 1000
MAX_HEADER_BYTES = 1024
# ISO 3166-1 alpha-2, all 249. `UK` is not one of them: the United Kingdom is GB.
REGIONS = frozenset(
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR "
    "BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ "
    "EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW "
    "GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY "
    "KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV "
    "MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY "
    "QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG "
    "TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM "
    "ZW".split()
)

Headers: TypeAlias = Sequence[tuple[str, bytes | str | None]]
_Member: TypeAlias = "tuple[str, _Field, Any]"  # path, field, value

_MISSING = msgspec.UNSET


class Inspected(Struct, frozen=True):
    """An event in full doubt and found good: `fields` are ready for its struct."""

    fields: dict[str, Any]
    event_type: str
    event_ms: int
    event_id: str | None
    notes: tuple[str, ...]


def inspect(
    value: bytes,
    *,
    key: bytes | None,
    topic: str | None,
    headers: Headers | None,
    arrived_ms: int,
    types: Mapping[str, type[Struct]],
    topic_of: Mapping[str, str],
) -> Inspected:
    """Look at everything in an event; raise `Rejected` with the first code that applies."""
    fields, has_duplicates = parse(value)
    name = fields.get("eventType")
    if not isinstance(name, str) or name not in types:
        seen = show(name) if "eventType" in fields else "missing"
        raise Rejected("unknown_event_type", f"eventType is {seen}")
    if topic not in (None, topic_of[name]):
        raise Rejected("wrong_topic", f"{name} belongs in {topic_of[name]}, not in {show(topic)}")
    _check_key(key, fields.get("userId", _MISSING))
    event_id, arrived = read_headers(headers or (), arrived_ms)
    members = list(_members(types[name], fields, ""))
    _check_members(members)
    moment = event_ms(fields["timestamp"])
    if moment - arrived > FUTURE_MS:
        raise Rejected("timestamp_future", f"{(moment - arrived) / 60_000:.1f} minutes ahead")
    _check_values(fields, members)
    noted = {
        "region_alias": fields.get("region") == "UK",
        "unknown_field": _has_unknown(fields, members),
        "other_offset": not fields["timestamp"].endswith("Z"),
        "duplicate_key": has_duplicates,
    }
    if noted["region_alias"]:
        fields["region"] = "GB"
    notes = tuple(note for note, holds in noted.items() if holds)
    return Inspected(fields, name, moment, event_id, notes)


def read_headers(headers: Headers, arrived_ms: int) -> tuple[str | None, int]:
    """Return the event's id and its arrival in store time, else the record's own `arrived_ms`.

    Raises `Rejected` with bad_header; an arrival that is no RFC 3339 timestamp is one, too.
    """
    event_id = None
    for name, data in headers:
        if not name.startswith("ce_") or data is None:
            continue
        raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
        try:
            if len(raw) > MAX_HEADER_BYTES:
                raise ValueError(f"{len(raw)} bytes")
            text = raw.decode()
            if name == "ce_id":
                event_id = text
            elif name == "ce_arrived":
                arrived_ms = event_ms(text)
        except ValueError as error:
            raise Rejected("bad_header", f"header {show(name)}: {error}") from None
    return event_id, arrived_ms


def _check_key(key: bytes | None, user: object) -> None:
    if key is None:
        raise Rejected("no_key", "the record has no key")
    # A user that is absent or no text is reported as such: it says more.
    if isinstance(user, str) and key != user.encode():
        raise Rejected("key_mismatch", f"the key is {show(key)}, userId {show(user)}")


class _Field(NamedTuple):
    name: str
    sort: str
    is_required: bool
    choices: tuple[str, ...]
    line: type[Struct] | None


_SORTS: dict[type, str] = {str: "text", bool: "flag", int: "count", float: "money"}
# What fits, by sort of field. bool is an int in Python, and must not pass as one.
_FITS: dict[str, Callable[[Any], bool]] = {
    "text": lambda value: type(value) is str,
    "choice": lambda value: type(value) is str,
    "flag": lambda value: type(value) is bool,
    "money": lambda value: type(value) in (int, float),
    "count": lambda value: type(value) is int and -(2**63) <= value < 2**63,
    "texts": lambda value: type(value) is list and all(type(each) is str for each in value),
    "lines": lambda value: type(value) is list and all(type(each) is dict for each in value),
}


@cache
def _schema(kind: type[Struct]) -> tuple[_Field, ...]:
    """Derive the fields from the struct, so that they are declared once."""
    types = get_type_hints(kind)
    return tuple(
        _field(field.encode_name, types[field.name], field.required)
        for field in msgspec.structs.fields(kind)
    )


def _field(name: str, expected: Any, is_required: bool) -> _Field:
    origin, inner = get_origin(expected), get_args(expected)
    if origin is Literal:
        return _Field(name, "choice", is_required, inner, None)
    if origin is list and inner[0] is not str:
        return _Field(name, "lines", is_required, (), inner[0])
    sort = "texts" if origin is list else _SORTS[inner[0] if inner else expected]
    return _Field(name, sort, is_required, (), None)


def _members(kind: type[Struct], fields: dict[str, Any], path: str) -> Iterator[_Member]:
    """Yield every declared member that is there or must be, an order's lines included."""
    for field in _schema(kind):
        value = fields.get(field.name, _MISSING)
        if value is not _MISSING or field.is_required:
            yield path + field.name, field, value
        if field.line is not None and isinstance(value, list):
            for number, line in enumerate(value):
                if isinstance(line, dict):
                    yield from _members(field.line, line, f"{path}{field.name}[{number}].")


def _check_members(members: list[_Member]) -> None:
    for path, _, value in members:
        if value is _MISSING:
            raise Rejected("missing_field", f"{path} is missing")
    for path, field, value in members:
        if not _FITS[field.sort](value):
            raise Rejected("wrong_type", f"{path} is {show(value)}")
    for path, field, value in members:
        if field.sort == "choice" and value not in field.choices:
            raise Rejected("unknown_value", f"{path} is {show(value)}")


def _check_values(fields: dict[str, Any], members: list[_Member]) -> None:
    for path, field, value in members:
        if field.sort == "money" and value < 0:
            raise Rejected("negative_price", f"{path} is {show(value)}")
    if fields.get("onSale") and "salePrice" not in fields:
        raise Rejected("sale_price_missing", "onSale without a salePrice")
    if "salePrice" in fields and fields["salePrice"] > fields["price"]:
        raise Rejected("sale_price_range", f"{fields['salePrice']} is more than {fields['price']}")
    for path, field, value in members:
        if field.sort == "count" and value < 0:
            raise Rejected("negative_count", f"{path} is {show(value)}")
    if fields["eventType"] == "purchase":
        _check_purchase(fields)


def _check_purchase(fields: dict[str, Any]) -> None:
    if not fields["games"]:
        raise Rejected("empty_games", "an order without games")
    total, paid = fields["totalAmount"], [line["price"] for line in fields["games"]]
    # repr() is the shortest text that means this float: exact decimals, as they were sent.
    off = sum(Fraction(repr(price)) for price in paid) - Fraction(repr(total))
    if abs(off) >= Fraction("0.005"):
        raise Rejected("total_mismatch", f"totalAmount is {show(total)}, the lines {show(paid)}")
    if fields["region"] != "UK" and fields["region"] not in REGIONS:
        raise Rejected("bad_region", f"{show(fields['region'])} is no ISO 3166-1 alpha-2 code")


def _has_unknown(fields: dict[str, Any], members: list[_Member]) -> bool:
    """Count: every member that was declared is there, so what is more is unknown."""
    lines = fields["games"] if fields["eventType"] == "purchase" else ()
    return len(members) + 1 < len(fields) + sum(map(len, lines))
