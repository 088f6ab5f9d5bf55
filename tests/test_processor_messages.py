"""Records that are decoded many at once mean what each of them means alone."""

from __future__ import annotations

import pytest
from hostile import ACCEPTED, ARRIVED, CLEAN, HOSTILE, Record, at, of

from steamlab.decoding.timestamps import event_ms
from steamlab.events import decode
from steamlab.processor import messages
from steamlab.processor.messages import Message, decode_all
from steamlab.processor.times import NO_TIME, to_times

USUAL = (("ce_id", b"7f3a"), ("ce_arrived", b"2025-11-21T10:31:00.000Z"))
HEADERS = [
    (),
    USUAL,
    USUAL[::-1],
    (("order", b"7f3a"), USUAL[1]),
    (USUAL[0], ("sent", USUAL[1][1])),
    (("ce_id", b"7f3a"), ("ce_arrived", b"2025-11-21T10:25:44Z")),  # 5:01 before the event
    (("ce_id", b"x" * 1025), USUAL[1]),
    (("ce_id", b"\xff"), USUAL[1]),
    (("ce_id", None), USUAL[1]),
    (USUAL[0], ("ce_arrived", b"noon")),
    (*USUAL, ("ce_source", b"\xff")),
    (USUAL[0],),
]


def message(record: Record) -> Message:
    """Make a record as the processor gets it."""
    return Message(record.topic, record.key, record.value, list(record.headers), ARRIVED)


CORPUS = [
    message(record)
    for record in [*map(of, CLEAN.values()), *(case[-1] for case in HOSTILE + ACCEPTED)]
]
CORPUS += [message(of(CLEAN["view"]))._replace(headers=headers) for headers in [None, *HEADERS]]
CORPUS += [Message("store.searches", b"user_1", None), Message("", None, None)]


@pytest.mark.parametrize("at_once", [1, 2, 7, 250])
def test_many_at_once_mean_what_each_means_alone(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever stands beside a record, clean or hostile, does not change its verdict."""
    monkeypatch.setattr(messages, "AT_ONCE", at_once)
    alone = [
        decode(value, key=key, topic=topic, headers=headers, arrived_ms=arrived_ms)
        for topic, key, value, headers, arrived_ms in CORPUS
    ]
    assert alone == list(decode_all(CORPUS))
    assert alone[::-1] == list(decode_all(CORPUS[::-1]))


def test_clean_records_are_not_decoded_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The usual record never needs the slower way: the test above compares two ways indeed."""
    monkeypatch.delattr(messages, "decode")
    records = [message(of(event))._replace(headers=USUAL) for event in CLEAN.values()]
    assert len(CLEAN) == sum(each.event is not None for each in decode_all(records))


TIMES = [
    "2025-11-21T10:30:45.123Z", "2025-11-21T10:30:45Z", "2000-02-29T23:59:59.999Z",
    "1969-12-31T23:59:59.500Z", "0001-01-01T00:00:00.000Z", "2100-12-31T23:59:59.999Z",
    "2025-11-21T10:30:45.1Z", "2025-11-21T10:30:45+05:45", "2025-11-21T10:30:45.12345678Z",
    "2025-11-21T24:00:00.000Z", "2025-11-21T10:60:00.000Z", "2025-11-21T10:30:60.000Z",
    "2025-02-29T10:30:45.000Z", "2025-13-01T10:30:45.000Z", "2025-00-01T10:30:45.000Z",
    "0000-01-01T10:30:45.000Z", "2101-01-01T00:00:00.000Z", "2025-11-21 10:30:45.000Z",
    "2025-11-21T10:30:45.000z", "2025-11-21T10:30:45,000Z", "2025-11-21T10:30:45.0000",
    "+025-11-21T10:30:45.000Z", "2025-11-21T10:30:45.00\u0661Z", "2025-11-21T10:30:45", "", "Z",
]  # fmt: skip


def test_times_at_once_are_the_times() -> None:
    """Timestamps become the same milliseconds alone, in pairs and all together."""

    def expected(text: str) -> int:
        try:
            return event_ms(text)
        except ValueError:
            return NO_TIME

    single = [expected(text) for text in TIMES]
    assert 8 + 1 == sum(time != NO_TIME for time in single)
    assert single == [to_times([text])[0] for text in TIMES]
    assert single == to_times(TIMES)
    usual = TIMES[0]
    assert [[single[0], time] for time in single] == [to_times([usual, text]) for text in TIMES]


def test_an_event_of_the_future_is_refused_among_others() -> None:
    """The arrival of each record is compared with its own event."""
    records = [at("2025-11-21T10:30:45Z"), at("2025-11-21T10:36:01Z"), at("2025-11-21T10:36:00Z")]
    codes = [each.code for each in decode_all([message(record) for record in records])]
    assert [None, "timestamp_future", None] == codes
