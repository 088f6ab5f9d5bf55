"""What may arrive: clean events, and a table hostile case -> reason code, or notes if valid."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from steamlab.decoding.reasons import NOTES
from steamlab.events import TOPIC_OF, Decoded, decode

ARRIVED = 1_763_721_060_000  # 2025-11-21T10:31:00Z
VIEW = {
    "eventType": "game_page_viewed",
    "timestamp": "2025-11-21T10:30:45Z",
    "userId": "user_1",
    "gameId": "game_001",
    "gameName": "Cyberpunk 2077",
    "price": 59.99,
    "onSale": True,
    "salePrice": 29.99,
    "category": "RPG",
    "tags": ["open-world"],
    "source": "search",
}
WISH = {
    "eventType": "wishlist_action",
    "timestamp": "2025-11-21T10:30:45Z",
    "userId": "user_1",
    "gameId": "game_001",
    "action": "added",
    "currentWishlistSize": 1,
}
CART = {
    "eventType": "cart_action",
    "timestamp": "2025-11-21T10:30:45Z",
    "userId": "user_1",
    "gameId": "game_001",
    "action": "removed",
    "currentCartValue": 0.0,
    "itemsInCart": 0,
}
PURCHASE = {
    "eventType": "purchase",
    "timestamp": "2025-11-21T10:30:45Z",
    "userId": "user_1",
    "orderId": "order_1",
    "games": [{"gameId": "game_001", "price": 29.99}, {"gameId": "game_009", "price": 9.99}],
    "totalAmount": 39.98,
    "paymentMethod": "paypal",
    "region": "US",
}
SEARCH = {
    "eventType": "search_performed",
    "timestamp": "2025-11-21T10:30:45Z",
    "userId": "user_1",
    "searchQuery": "rpg",
    "resultsCount": 3,
    "filterTags": [],
}
CLEAN = {"view": VIEW, "wish": WISH, "cart": CART, "purchase": PURCHASE, "search": SEARCH}


@dataclass(frozen=True)
class Record:
    """A record as it arrives; the topic and the key fit the event unless the case says else."""

    value: bytes
    topic: str = "store.game-views"
    key: bytes | None = b"user_1"
    headers: tuple[tuple[str, bytes | None], ...] = ()

    def decode(self) -> Decoded:
        """Decode it, as of ARRIVED."""
        return decode(
            self.value,
            key=self.key,
            topic=self.topic,
            headers=list(self.headers),
            arrived_ms=ARRIVED,
        )


def of(event: dict[str, Any], *without: str, **changes: Any) -> Record:
    """Make a record of a clean event with some fields changed or left out."""
    fields = {name: each for name, each in (event | changes).items() if name not in without}
    return Record(json.dumps(fields).encode(), TOPIC_OF[event["eventType"]])


def raw(old: bytes, new: bytes, event: dict[str, Any] = VIEW) -> Record:
    """Make a record of a clean event with some of its bytes changed."""
    record = of(event)
    assert record.value.count(old) == 1
    return replace(record, value=record.value.replace(old, new))


def extra(member: bytes) -> Record:
    """Make a record of a clean event with one more member, of which nobody makes use."""
    record = of(VIEW)
    return replace(record, value=record.value[:-1] + b", " + member + b"}")


def at(timestamp: str) -> Record:
    """Make a record of a clean event that claims to have happened at this time."""
    return of(SEARCH, timestamp=timestamp)


def game(**line: Any) -> Record:
    """Make a record of a purchase of this one line."""
    return of(PURCHASE, games=[line], totalAmount=9.99)


HEADERS = of(VIEW)
HOSTILE = [
    ("bad_encoding", "a byte that is not UTF-8", raw(b"RPG", b"RP\xff")),
    ("bad_encoding", "not UTF-8 in an unused field", extra(b'"abTest": "\xc3\x28"')),
    ("bad_encoding", "not UTF-8 in a field's name", extra(b'"\xff": 1')),
    ("bad_encoding", "not UTF-8 in a tag", raw(b"open-world", b"open\xffworld")),
    ("bad_encoding", "not UTF-8 in a line", raw(b"game_009", b"game_\xff", PURCHASE)),
    ("bad_encoding", "not UTF-8 in a fixed set's value", raw(b"paypal", b"paypal\xff", PURCHASE)),
    ("bad_encoding", "not UTF-8 in the type", raw(b"game_page_viewed", b"\xff")),
    ("bad_encoding", "an overlong slash", raw(b"RPG", b"\xc0\xaf")),
    ("bad_encoding", "a surrogate as UTF-8", raw(b"RPG", b"\xed\xa0\x80")),
    ("bad_encoding", "Latin-1", raw(b"RPG", "Pokémon".encode("latin-1"))),
    ("bad_encoding", "UTF-16 with its mark", Record(json.dumps(VIEW).encode("utf-16"))),
    ("bad_encoding", "UTF-16 without", Record(json.dumps(VIEW).encode("utf-16-le"))),
    ("bad_encoding", "UTF-32", Record(json.dumps(VIEW).encode("utf-32-be"))),
    ("bad_encoding", "a byte order mark", Record(b"\xef\xbb\xbf" + json.dumps(VIEW).encode())),
    ("bad_encoding", "a lone surrogate, escaped", raw(b"RPG", rb"\ud800")),
    ("bad_encoding", "a lone low surrogate", raw(b"RPG", rb"\uDFFF!")),
    ("bad_encoding", "surrogates the wrong way round", raw(b"RPG", rb"\udc00\ud800")),
    ("bad_encoding", "a lone surrogate after a pair", raw(b"RPG", rb"\ud83c\udfae\ud83c")),
    ("bad_encoding", "a lone surrogate in an unused field", extra(rb'"x": ["\ud800"]')),
    ("bad_encoding", "NUL, escaped", raw(b"RPG", rb"\u0000")),
    ("bad_encoding", "NUL in an unused field", extra(rb'"x": "a\u0000b"')),
    ("bad_encoding", "NUL as it is", raw(b"RPG", b"\0")),
    ("not_json", "empty", Record(b"")),
    ("not_json", "blank", Record(b" \n\t")),
    ("not_json", "cut off", Record(b'{"eventType": "purchase", ')),
    ("not_json", "a list", Record(b"[" + json.dumps(VIEW).encode() + b"]")),
    ("not_json", "a number", Record(b"42")),
    ("not_json", "null as text", Record(b"null")),
    ("not_json", "a string", Record(b'"game_page_viewed"')),
    ("not_json", "NaN as a price", raw(b"59.99", b"NaN")),
    ("not_json", "Infinity as a price", raw(b"59.99", b"Infinity")),
    ("not_json", "-Infinity in an unused field", extra(b'"x": -Infinity')),
    ("not_json", "1e400 as a price", raw(b"59.99", b"1e400")),
    ("not_json", "1e400 in an unused field", extra(b'"x": [1e400]')),
    ("not_json", "1e400 behind a colon with a space", extra(b'"x" : -1e400')),
    ("not_json", "5000 digits as a price", raw(b"59.99", b"9" * 5000)),
    ("not_json", "5000 digits in an unused field", extra(b'"x": ' + b"9" * 5000)),
    ("not_json", "single quotes", Record(str(VIEW).encode())),
    ("not_json", "a comma at the end", extra(b'"x": 1,')),
    ("not_json", "a comment", extra(b'"x": 1 // new')),
    ("not_json", "a leading zero", raw(b"59.99", b"059.99")),
    ("not_json", "no digit after the point", raw(b"59.99", b"59.")),
    ("not_json", "no digit before the point", raw(b"59.99", b".99")),
    ("not_json", "a plus sign", raw(b"59.99", b"+59.99")),
    ("not_json", "hexadecimal", raw(b"59.99", b"0x3b")),
    ("not_json", "True with a capital", raw(b"true", b"True")),
    ("not_json", "a line break in a string", raw(b"RPG", b"R\nG")),
    ("not_json", "an escape that is none", raw(b"RPG", rb"\x41")),
    ("not_json", "a no-break space between", raw(b": 59.99", ":\u00a059.99".encode())),
    ("not_json", "two objects", Record(json.dumps(VIEW).encode() * 2)),
    ("not_json", "the wrong bracket", raw(b'["open-world"]', b'["open-world"}')),
    ("not_json", "a list with names", raw(b'["open-world"]', b'["a": "b"]')),
    ("not_json", "an object without names", extra(b'"x": {"a"}')),
    ("not_json", "a name that is no string", extra(b"1: 2")),
    ("not_json", "100,000 deep and never closed", Record(b"[" * 100_000)),
    ("not_json", "100,000 deep, but a list", Record(b"[" * 100_000 + b"]" * 100_000)),
    (
        "too_large",
        "65,537 bytes",
        of(VIEW, category="x" * (65_537 - len(of(VIEW, category="").value))),
    ),
    ("too_large", "a string of a million", of(VIEW, gameName="x" * 1_000_000)),
    ("too_large", "too much in an unused field", extra(b'"x": "' + b"x" * 65_536 + b'"')),
    (
        "too_large",
        "100,000 deep is too large first",
        extra(b'"x": ' + b"[" * 100_000 + b"]" * 100_000),
    ),
    ("too_deep", "33 deep", extra(b'"x": ' + b"[" * 32 + b"]" * 32)),
    ("too_deep", "10,000 deep", extra(b'"x": ' + b"[" * 10_000 + b"]" * 10_000)),
    ("too_deep", "32,000 deep", extra(b'"x": ' + b"[" * 32_000 + b"]" * 32_000)),
    (
        "too_deep",
        "objects, 10,000 deep",
        extra(b'"x": ' + b'{"x":' * 10_000 + b"1" + b"}" * 10_000),
    ),
    ("unknown_event_type", "a type of nobody", of(VIEW, eventType="game_viewed")),
    ("unknown_event_type", "a type in capitals", of(VIEW, eventType="GAME_PAGE_VIEWED")),
    ("unknown_event_type", "no type", of(VIEW, "eventType")),
    ("unknown_event_type", "a number", of(VIEW, eventType=5)),
    ("unknown_event_type", "a list", of(VIEW, eventType=["purchase"])),
    ("unknown_event_type", "an empty object", Record(b"{}")),
    ("wrong_topic", "a purchase among the views", replace(of(PURCHASE), topic="store.game-views")),
    ("wrong_topic", "a view in a topic of its own", replace(of(VIEW), topic="my-topic")),
    ("wrong_topic", "a view in another lesson topic", replace(of(VIEW), topic="05.store.searches")),
    ("no_key", "a null key", replace(of(VIEW), key=None)),
    ("no_key", "a null key of a purchase", replace(of(PURCHASE), key=None)),
    ("key_mismatch", "another user", replace(of(VIEW), key=b"user_9")),
    ("key_mismatch", "an empty key", replace(of(VIEW), key=b"")),
    ("key_mismatch", "a key that is not UTF-8", replace(of(VIEW), key=b"\xffuser_1")),
    ("key_mismatch", "a key in quotes", replace(of(VIEW), key=b'"user_1"')),
    (
        "key_mismatch",
        "the same letters, composed otherwise",
        replace(of(VIEW, userId="é"), key="e\u0301".encode()),
    ),
    ("bad_header", "not UTF-8", replace(HEADERS, headers=(("ce_id", b"\xff"),))),
    ("bad_header", "1,025 bytes", replace(HEADERS, headers=(("ce_source", b"x" * 1025),))),
    ("bad_header", "an arrival that is none", replace(HEADERS, headers=(("ce_arrived", b"noon"),))),
    (
        "bad_header",
        "only the second one",
        replace(HEADERS, headers=(("ce_id", b"1"), ("ce_x", b"\xfe"))),
    ),
    *(
        ("missing_field", f"{name} without {field}", of(event, field))
        for name, event in CLEAN.items()
        for field in event
        if field not in ("eventType", "salePrice")
    ),
    ("missing_field", "a line without a game", game(price=9.99)),
    ("missing_field", "a line without a price", game(gameId="game_009")),
    ("missing_field", "missing before wrong", of(VIEW, "source", price="59.99")),
    ("wrong_type", "a price in quotes", of(VIEW, price="59.99")),
    ("wrong_type", "a bool as a price", of(VIEW, price=True)),
    ("wrong_type", "null as a price", of(VIEW, price=None)),
    ("wrong_type", "null as a sale price", of(VIEW, salePrice=None)),
    ("wrong_type", "a bool as a sale price", of(VIEW, salePrice=False)),
    ("wrong_type", "1 for true", of(VIEW, onSale=1)),
    ("wrong_type", '"true"', of(VIEW, onSale="true")),
    ("wrong_type", "a tag that is a number", of(VIEW, tags=["a", 1])),
    ("wrong_type", "tags in one string", of(VIEW, tags="open-world, rpg")),
    ("wrong_type", "a source that is a number", of(VIEW, source=1)),
    ("wrong_type", "a number as the user", of(VIEW, userId=1)),
    ("wrong_type", "a number as the time", of(VIEW, timestamp=1_763_721_045)),
    ("wrong_type", '"1" for a count', of(CART, itemsInCart="1")),
    ("wrong_type", "true for a count", of(CART, itemsInCart=True)),
    ("wrong_type", "1.5 for a count", of(CART, itemsInCart=1.5)),
    ("wrong_type", "1.0 for a count", of(CART, itemsInCart=1.0)),
    ("wrong_type", "1e2 for a count", raw(b'Cart": 0}', b'Cart": 1e2}', CART)),
    ("wrong_type", "a count beyond 64 bits", of(WISH, currentWishlistSize=2**63)),
    ("wrong_type", "a count of 300 digits", of(WISH, currentWishlistSize=10**299)),
    ("wrong_type", "a list as an action", of(WISH, action=["added"])),
    ("wrong_type", "null as a query", of(SEARCH, searchQuery=None)),
    ("wrong_type", "games by their names", of(PURCHASE, games=["game_001"])),
    ("wrong_type", "games as an object", of(PURCHASE, games={"gameId": "game_001", "price": 1})),
    ("wrong_type", "a bool in a line", game(gameId="game_009", price=True)),
    ("wrong_type", "wrong before unknown", of(VIEW, price="59.99", source="ads")),
    ("unknown_value", "a source of nobody", of(VIEW, source="ads")),
    ("unknown_value", "a source in capitals", of(VIEW, source="Search")),
    ("unknown_value", "an empty source", of(VIEW, source="")),
    ("unknown_value", "an action of nobody", of(WISH, action="add")),
    ("unknown_value", "an action with a space", of(CART, action="added ")),
    ("unknown_value", "a way to pay of nobody", of(PURCHASE, paymentMethod="cash")),
    ("timestamp_no_tz", "naive", at("2025-11-21T10:30:45")),
    ("timestamp_no_tz", "naive with a fraction", at("2025-11-21T10:30:45.123")),
    ("timestamp_no_tz", "naive and with a space", at("2025-11-21 10:30:45")),
    ("timestamp_bad", "a space for the T", at("2025-11-21 10:30:45Z")),
    ("timestamp_bad", "a small t", at("2025-11-21t10:30:45Z")),
    ("timestamp_bad", "a small z", at("2025-11-21T10:30:45z")),
    ("timestamp_bad", "an offset of 25 hours", at("2025-11-21T10:30:45+25:00")),
    ("timestamp_bad", "an offset of 99 minutes", at("2025-11-21T10:30:45+01:99")),
    ("timestamp_bad", "an offset without a colon", at("2025-11-21T10:30:45+0100")),
    ("timestamp_bad", "a date alone", at("2025-11-21")),
    ("timestamp_bad", "a week date", at("2025-W47-5T10:30:45Z")),
    ("timestamp_bad", "no seconds", at("2025-11-21T10:30Z")),
    ("timestamp_bad", "a second of 60", at("2025-11-21T10:30:60Z")),
    ("timestamp_bad", "24 o'clock", at("2025-11-20T24:00:00Z")),
    ("timestamp_bad", "30 February", at("2025-02-30T10:30:45Z")),
    ("timestamp_bad", "29 February of a common year", at("2025-02-29T10:30:45Z")),
    ("timestamp_bad", "the year 9999", at("9999-12-31T23:59:59Z")),
    ("timestamp_bad", "the year 2101", at("2101-01-01T00:00:00Z")),
    ("timestamp_bad", "the year 0", at("0000-01-01T00:00:00Z")),
    ("timestamp_bad", "five digits of a year", at("12025-11-21T10:30:45Z")),
    ("timestamp_bad", "a comma for the point", at("2025-11-21T10:30:45,5Z")),
    ("timestamp_bad", "a point without digits", at("2025-11-21T10:30:45.Z")),
    ("timestamp_bad", "digits of another script", at("２０２５-11-21T10:30:45Z")),
    ("timestamp_bad", "a line break at the end", at("2025-11-21T10:30:45Z\n")),
    ("timestamp_bad", "a blank at the start", at(" 2025-11-21T10:30:45Z")),
    ("timestamp_bad", "seconds since 1970 as text", at("1763721045")),
    ("timestamp_bad", "empty", at("")),
    ("timestamp_bad", "a name for the zone", at("2025-11-21T10:30:45 UTC")),
    ("timestamp_future", "one millisecond too far", at("2025-11-21T10:36:00.001Z")),
    ("timestamp_future", "tomorrow", at("2025-11-22T10:30:45Z")),
    ("timestamp_future", "the year 2100", at("2100-12-31T23:59:59Z")),
    ("timestamp_future", "hidden by an offset", at("2025-11-21T10:30:45-01:00")),
    (
        "timestamp_future",
        "by its own arrival",
        replace(of(VIEW), headers=(("ce_arrived", b"2025-11-21T10:25:44Z"),)),
    ),
    ("negative_price", "a price", of(VIEW, price=-5.0)),
    ("negative_price", "a price that is hardly negative", of(VIEW, price=-1e-300)),
    ("negative_price", "a sale price", of(VIEW, salePrice=-0.01)),
    ("negative_price", "a cart's value", of(CART, currentCartValue=-1)),
    ("negative_price", "an order's total", of(PURCHASE, totalAmount=-39.98)),
    ("negative_price", "a line", game(gameId="game_009", price=-9.99)),
    ("sale_price_missing", "on sale without a sale price", of(VIEW, "salePrice")),
    ("sale_price_missing", "free and on sale without one", of(VIEW, "salePrice", price=0)),
    ("sale_price_range", "dearer on sale", of(VIEW, salePrice=60.0)),
    ("sale_price_range", "dearer by a cent, not on sale", of(VIEW, salePrice=60.00, onSale=False)),
    ("negative_count", "a wishlist", of(WISH, currentWishlistSize=-1)),
    ("negative_count", "a cart", of(CART, itemsInCart=-3)),
    ("negative_count", "results", of(SEARCH, resultsCount=-(2**62))),
    ("empty_games", "an order of nothing", of(PURCHASE, games=[], totalAmount=0.0)),
    ("empty_games", "empty before mismatch", of(PURCHASE, games=[])),
    ("total_mismatch", "ten times too much", of(PURCHASE, totalAmount=399.8)),
    ("total_mismatch", "half a cent", of(PURCHASE, totalAmount=39.985)),
    (
        "total_mismatch",
        "half a cent, where binary is less",
        of(PURCHASE, games=[{"gameId": "a", "price": 10.005}], totalAmount=10),
    ),
    (
        "total_mismatch",
        "a cent lost in a huge sum",
        of(
            PURCHASE,
            games=[{"gameId": "a", "price": 1e17}, {"gameId": "b", "price": 1}],
            totalAmount=1e17,
        ),
    ),
    (
        "total_mismatch",
        "a sum beyond all numbers",
        of(PURCHASE, games=[{"gameId": "a", "price": 1.7e308}] * 2, totalAmount=1.7e308),
    ),
    ("bad_region", "a code of nobody", of(PURCHASE, region="EN")),
    ("bad_region", "the European Union", of(PURCHASE, region="EU")),
    ("bad_region", "small letters", of(PURCHASE, region="us")),
    ("bad_region", "three letters", of(PURCHASE, region="USA")),
    ("bad_region", "a small uk", of(PURCHASE, region="uk")),
    ("bad_region", "empty", of(PURCHASE, region="")),
]

ACCEPTED = [
    ((), "markup", of(VIEW, gameName="<script>alert(1)</script>")),
    ((), "a spreadsheet's formula", of(SEARCH, searchQuery="=cmd|'/c calc'!A1")),
    ((), "an escape sequence for a terminal", of(SEARCH, searchQuery="\x1b[2J\x1b]0;owned\x07")),
    ((), "a right-to-left override", of(SEARCH, searchQuery="\u202egpj.exe")),
    ((), "SQL", of(SEARCH, searchQuery="'; DROP TABLE games; --")),
    ((), "a byte order mark inside", of(SEARCH, searchQuery="a\ufeffb")),
    ((), "a noncharacter", of(SEARCH, searchQuery="\uffff")),
    ((), "another script, as it is", raw(b"rpg", "ゲーム🎮".encode(), SEARCH)),
    ((), "another script, escaped", of(SEARCH, searchQuery="ゲーム🎮")),
    ((), "a backslash before u0000", raw(b"rpg", rb"\\u0000", SEARCH)),
    ((), "a backslash before ud800", raw(b"rpg", rb"C:\\ud800", SEARCH)),
    ((), "colons and quotes", of(VIEW, gameName='Baldur": "x": 1', tags=[":", "a:b"])),
    ((), "an escaped colon", raw(b"RPG", rb"R\u003aG")),
    ((), "the longest value", of(VIEW, category="x" * (65_536 - len(of(VIEW, category="").value)))),
    ((), "blanks around", replace(of(VIEW), value=b" \r\n\t" + of(VIEW).value + b"\n ")),
    ((), "a lesson's topic", replace(of(VIEW), topic="05b.store.game-views")),
    ((), "an empty query", of(SEARCH, searchQuery="")),
    ((), "a whole number as a price", of(VIEW, price=60)),
    ((), "a huge price", of(VIEW, price=1e300)),
    ((), "a price of 300 digits", of(VIEW, price=10**299)),
    ((), "a price of minus zero", of(VIEW, price=0.0, salePrice=-0.0)),
    ((), "the largest count", of(WISH, currentWishlistSize=2**63 - 1)),
    ((), "a free order", of(PURCHASE, games=[{"gameId": "a", "price": 0}], totalAmount=0)),
    (
        (),
        "a tenth ten times",
        of(PURCHASE, games=[{"gameId": "a", "price": 0.1}] * 10, totalAmount=1),
    ),
    ((), "less than half a cent off", of(PURCHASE, totalAmount=39.984)),
    ((), "a sale price while not on sale", of(VIEW, onSale=False)),
    ((), "a sale at the full price", of(VIEW, salePrice=59.99)),
    ((), "five minutes ahead", at("2025-11-21T10:36:00Z")),
    ((), "long ago", at("1969-12-31T23:59:59.999Z")),
    ((), "29 February of a leap year", at("2024-02-29T10:30:45Z")),
    ((), "nanoseconds", at("2025-11-21T10:30:45.123456789Z")),
    (
        (),
        "arrived late enough",
        replace(at("2025-11-22T10:30:45Z"), headers=(("ce_arrived", b"2025-11-22T10:30:00Z"),)),
    ),
    (
        (),
        "headers of others",
        replace(HEADERS, headers=(("trace", b"\xff" * 2000), ("ce_id", None))),
    ),
    ((), "1,024 bytes of a header", replace(HEADERS, headers=(("ce_id", b"x" * 1024),))),
    (("region_alias",), "the region UK", of(PURCHASE, region="UK")),
    (("unknown_field",), "a field of tomorrow", of(VIEW, abTest="B")),
    (("unknown_field",), "a field of tomorrow in a line", game(gameId="a", price=9.99, gift=True)),
    (("unknown_field",), "games in a view", of(VIEW, games=5)),
    (
        ("unknown_field",),
        "a field of tomorrow, an escaped colon",
        raw(b'10:30:45Z"', rb'10\u003a30\u003a45Z", "x": [1], "y": 2'),
    ),
    (("unknown_field",), "32 deep", extra(b'"x": ' + b"[" * 31 + b"]" * 31)),
    (("unknown_field",), "308 digits in an unused field", extra(b'"x": 1' + b"0" * 307)),
    (("other_offset",), "an offset", at("2025-11-21T12:00:45+01:30")),
    (("other_offset",), "no offset, spelled out", at("2025-11-21T10:30:45+00:00")),
    (
        ("duplicate_key",),
        "a key twice, the last one good",
        raw(b'"price": 59.99', b'"price": "x", "price": 59.99'),
    ),
    (
        ("duplicate_key",),
        "the type twice",
        raw(b'"eventType"', b'"eventType": "purchase", "eventType"'),
    ),
    (
        ("duplicate_key",),
        "a line's key twice",
        raw(b'"price": 9.99', b'"price": 1, "price": 9.99', PURCHASE),
    ),
    (
        NOTES,
        "everything odd at once",
        replace(
            of(PURCHASE),
            value=json.dumps(
                PURCHASE | {"region": "UK", "x": 1, "timestamp": "2025-11-21T11:30:45+01:00"}
            )
            .replace('"x"', '"x": 0, "x"')
            .encode(),
        ),
    ),
]
