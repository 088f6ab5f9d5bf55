"""Files of events: what is accepted in which order, what is refused and why, and wrong files."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steamlab.decoding.reasons import CODES
from steamlab.errors import LessonError, SetupError
from steamlab.metrics import read_file, read_lines, records, to_tables
from steamlab.metrics.printing import print_metrics
from steamlab.settings import data_path
from tests.hostile import CLEAN, HOSTILE, VIEW, Record
from tests.stream import add, buy, look, pull, search, unwish, wish

GOLDEN = data_path("golden/golden.jsonl")
DIRTY = data_path("golden/dirty.jsonl")


def codes(*lines: bytes) -> list[str]:
    """Read lines and return the codes of the refused."""
    return [each.code for each in read_lines(lines).refused]


def envelope(**changes: Any) -> bytes:
    """Make an envelope of a clean view, with changes."""
    line = {"topic": "store.game-views", "key": "user_1", "value": VIEW} | changes
    return json.dumps({name: each for name, each in line.items() if each != "absent"}).encode()


@pytest.mark.parametrize("name", CLEAN)
def test_envelopes_and_bare_events_are_the_same(name: str) -> None:
    """An event with its topic and key around it, as a text, or alone, is the same event."""
    event = CLEAN[name]
    topic = Record(b"").topic if name == "view" else None
    lines = [
        json.dumps({"topic": topic, "key": "user_1", "value": event}),
        json.dumps({"topic": topic, "key": "user_1", "raw": json.dumps(event)}),
        json.dumps(event),
    ]
    for line in lines:
        (decoded,) = read_lines([line.encode()]).accepted
        assert decoded.event is not None and "user_1" == decoded.event.user_id
    together = read_lines([line.encode() for line in lines])
    assert (1, 2, 0) == (len(together.accepted), together.duplicates, len(together.refused))


@pytest.mark.parametrize(
    ("expected", "line"),
    [
        ("no_key", envelope(key="absent")),
        ("no_key", envelope(key=None)),
        ("key_mismatch", envelope(key="user_2")),
        ("wrong_topic", envelope(topic="store.searches")),
        ("wrong_topic", envelope(topic="store.nonsense")),
        ("bad_header", envelope(headers={"ce_arrived": "noon"})),
        ("bad_header", envelope(arrivedAt="noon")),
        ("bad_header", envelope(headers={"ce_id": "x" * 1025})),
        ("timestamp_future", envelope(arrivedAt="2025-11-21T10:25:44Z")),
        ("timestamp_future", envelope(headers={"ce_arrived": "2025-11-21T10:25:44Z"})),
        ("not_json", envelope(value="absent", raw="{")),
        ("not_json", envelope(value=[1])),
        ("not_json", envelope(value="absent")),
        ("not_json", envelope(arrivedAt=5)),
        ("not_json", b'{"topic": "store.game-views", "key": "user_1", "value": NaN}'),
        ("not_json", b"[]"),
        ("not_json", b"\xff\xfe"),
        ("not_json", b"[" * 100_000),
        ("bad_encoding", json.dumps(VIEW).encode().replace(b"Cyberpunk", b"Cyber\xffpunk")),
        ("unknown_event_type", b'{"eventType": null}'),
        ("wrong_type", json.dumps(VIEW | {"userId": 5}).encode()),
        ("missing_field", b'{"eventType": "game_page_viewed"}'),
    ],
)
def test_refused_line_has_its_code(expected: str, line: bytes) -> None:
    """A line that does not count is refused with the code that fits, beside a good one."""
    assert [expected] == codes(json.dumps(buy("10:00:00")).encode(), line)


def test_hostile_records_are_refused_as_they_are_live() -> None:
    """Each hostile case of the decoder's table, whose bytes are text, gets the same code here."""
    seen = 0
    for code, name, record in HOSTILE:
        try:
            value = record.value.decode()
            headers = {
                each: None if data is None else data.decode() for each, data in record.headers
            }
            key = None if record.key is None else record.key.decode()
        except UnicodeDecodeError:
            continue
        line = json.dumps(
            {"topic": record.topic, "key": key, "headers": headers, "raw": value}
            | {"arrivedAt": "2025-11-21T10:31:00Z"}
        )
        assert [code] == codes(line.encode()), name
        seen += 1
    assert len(HOSTILE) * 0.8 < seen


def test_every_code_of_a_refusal_is_one_of_the_table() -> None:
    """The dirty stream's refusals have codes of the contract, and the reasons are harmless."""
    refused = read_file(str(DIRTY)).refused
    assert 15 == len(refused)
    assert all(each.code in CODES and each.reason.isprintable() for each in refused)
    assert sorted(each.line for each in refused) == [each.line for each in refused]


@pytest.mark.parametrize("line", [envelope(value=None), envelope(value="absent", raw=None)])
def test_no_value_is_a_tombstone(line: bytes) -> None:
    """A null value is skipped and counted."""
    reading = read_lines([line])
    assert (0, 1, 0) == (len(reading.accepted), reading.tombstones, len(reading.refused))


def test_empty_lines_are_nothing() -> None:
    """Blank lines and Windows' line ends change nothing; line numbers count every line."""
    reading = read_lines([b"\n", json.dumps(VIEW).encode() + b"\r\n", b"  \n", b"{\n"])
    assert (1, [4]) == (len(reading.accepted), [each.line for each in reading.refused])


def test_accepted_events_stand_in_order_of_arrival() -> None:
    """The header counts before `arrivedAt`, and either before the event's own time."""
    hour = "2025-11-21T{}:00:00Z"
    lines = [
        envelope(value=look("10:00:00"), key="u1", arrivedAt=hour.format(15)),
        envelope(value=look("11:00:00"), key="u1", arrivedAt=hour.format(13),
                 headers={"ce_arrived": hour.format(14)}),
        json.dumps(look("12:30:00")).encode(),
        envelope(value=look("12:00:00"), key="u1", arrivedAt=hour.format(13)),
    ]  # fmt: skip
    stamps = [each.event.timestamp for each in read_lines(lines).accepted if each.event]
    assert ["12:30", "12:00", "11:00", "10:00"] == [stamp[11:16] for stamp in stamps]


def test_all_conflicts_of_a_large_file_are_found() -> None:
    """The memory for identities is as large as the file."""
    lines = [json.dumps(look(f"10:00:00.{n:03}")).encode() for n in range(1000)]
    assert 1000 == read_lines([*lines, *lines]).duplicates


SHOP = [
    json.dumps(event).encode()
    for event in (
        search("10:00:00"), look("10:00:30", source="search"), wish("10:01:00"), add("10:02:00"),
        buy("10:03:00", order="o"), buy("10:03:00", order="o"), buy("10:04:00", order="o", g1=1.0),
        look("10:00:00", "u2", "g2"), look("10:30:00", "u2", "g2"), wish("10:31:00", "u2", "g2"),
        unwish("10:31:00", "u2", "g2"), add("10:40:00", "u2", "g2"), pull("10:40:00", "u2", "g2"),
        buy("10:40:00", "u2", "UK", g2=2.5, g3=0.0), search("10:45:00", "u2", " RPG "),
        look("10:00:00", "u3"), {"eventType": "purchase"},
    )
]  # fmt: skip
IN_ORDER = records(to_tables(read_lines(SHOP).accepted))


@settings(max_examples=15, deadline=None)
@given(st.permutations(SHOP))
def test_any_order_of_the_lines_gives_the_same_records(lines: list[bytes]) -> None:
    """Events, a duplicate, a conflict, a refusal, ties in time: their order does not matter."""
    reading = read_lines(lines)
    assert (14, 1, 2) == (len(reading.accepted), reading.duplicates, len(reading.refused))
    assert IN_ORDER == records(to_tables(reading.accepted))


@pytest.mark.parametrize("path", [GOLDEN, DIRTY], ids=lambda path: path.stem)
def test_any_order_of_the_golden_files_gives_the_same_records(path: Path) -> None:
    """Three shuffles of each golden file say what the file says."""
    lines = path.read_bytes().splitlines()
    expected = records(to_tables(read_lines(lines).accepted))
    for seed in range(3):
        shuffled = random.Random(seed).sample(lines, len(lines))  # noqa: S311 - a shuffle
        assert expected == records(to_tables(read_lines(shuffled).accepted))


def test_final_is_what_no_event_in_time_can_change() -> None:
    """A minute is final with its topic's newest event 5:00 after it; a 24-hour cohort is not."""
    lines = [json.dumps(each).encode() for each in (buy("10:00:00"), buy("10:05:59.999"))]
    late = [*lines, json.dumps(buy("10:06:00")).encode()]
    for given_lines, expected in ((lines, False), (late, True)):
        found = records(to_tables(read_lines(given_lines).accepted))
        (first, *_) = (each for each in found if each["metric"] == "sales_velocity")
        assert (expected, "2025-11-21T10:00:00Z") == (first["final"], first["windowStart"])
    golden = records(to_tables(read_file(str(GOLDEN)).accepted))
    assert {"view_to_wishlist", "trending_games"} <= {
        each["metric"] for each in golden if not each["final"]
    }
    assert not any(each["final"] for each in golden if each["windowStart"] is None)
    assert not any(each["final"] for each in golden if each["metric"] == "view_to_wishlist")


def test_extreme_times_and_amounts_harm_nobody() -> None:
    """The first year of the calendar and amounts beyond 64 bits are accepted, and computed."""
    old = look("10:00:00") | {"timestamp": "0001-01-01T00:00:00+01:00"}
    rich = [buy(f"10:0{n}:00", g1=1e308) for n in range(2)]
    lines = [json.dumps(each).encode() for each in (old, *rich)]
    found = records(to_tables(read_lines(lines).accepted))
    (total,) = (each for each in found if each["metric"] == "average_order_value"
                and each["windowStart"] is None)  # fmt: skip
    assert f"2{'0' * 308}.00" == total["numerator"]
    assert "0000-12-31T23:00:00Z" in {each["windowStart"] for each in found}


def test_nothing_makes_no_records() -> None:
    """Where nothing was accepted, or nothing has happened yet, there are no records."""
    assert [] == records(to_tables([]))
    assert [] == records(to_tables([], until_ms=0), is_instant=True)
    accepted = read_file(str(GOLDEN)).accepted
    assert [] == records(to_tables(accepted, until_ms=0), is_instant=True)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("empty.jsonl", "", "is empty; events were expected."),
        ("blank.jsonl", "\n \n", "is empty; events were expected."),
        ("prose.txt", "\nHello,\nworld\n", "holds no events: one JSON object a line"),
        ("other.json", '{"a": 1}\n[]\n', "and line 1 is none."),
        ("folder", None, "Cannot read "),
    ],
)
def test_wrong_file_is_said_in_a_sentence(
    tmp_path: Path, name: str, text: str | None, expected: str
) -> None:
    """A file that cannot be right is an error with a repair."""
    path = tmp_path / name
    path.mkdir() if text is None else path.write_text(text)
    with pytest.raises(SetupError, match="steamlab simulate --days 1 --out") as caught:
        read_file(str(path))
    assert expected in str(caught.value)


def test_missing_file_is_said_in_a_sentence(tmp_path: Path) -> None:
    """A file that is not there is named."""
    with pytest.raises(SetupError, match=r"Cannot read .*none\.jsonl.*no such file") as caught:
        print_metrics(str(tmp_path / "none.jsonl"))
    assert "simulate" in caught.value.repair
    with pytest.raises(SetupError, match="Cannot read"):
        read_file("nul\0byte")


@pytest.mark.parametrize("at", ["noon", "2025-11-21", "2025-11-21T10:00:00", "", "\x1b[31m"])
def test_time_that_is_none_is_said_in_a_sentence(at: str) -> None:
    """An instant that is not RFC 3339 is refused before anything is read."""
    with pytest.raises(LessonError, match="must be RFC 3339") as caught:
        print_metrics("no such file", at=at)
    assert str(caught.value).isprintable()


def test_json_is_one_record_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """With --json, stdout has the records and nothing else; stderr has the refusals."""
    found = print_metrics(str(DIRTY), json=True)
    said = capsys.readouterr()
    assert found == [json.loads(line) for line in said.out.splitlines()]
    assert said.err.startswith(
        "39 records: 22 accepted, 1 duplicate, 1 tombstone, 15 refused (bad_region 1, "
    )
    assert "  line 7: order_id_conflict: " in said.err
    assert 1 + 15 == len(said.err.splitlines())


def test_many_refusals_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The first fifty refused lines are shown, the others counted."""
    path = tmp_path / "many.jsonl"
    path.write_bytes(b"\n".join([json.dumps(VIEW).encode(), *[b"{"] * 1234]))
    print_metrics(str(path), json=True)
    said = capsys.readouterr().err.splitlines()
    assert "(not_json 1,234)" in said[0]
    assert (52, "  and 1,184 more refused lines") == (len(said), said[-1])


def test_table_for_people(capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    """Without --json a table has the newest window of each metric, and those since the start."""
    monkeypatch.setenv("COLUMNS", "160")
    print_metrics(str(GOLDEN))
    said = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "average_order_value since the start 18.32 = 54.97/3, paid_value 27.49," in "\n".join(
        said
    )
    assert "wishlist_to_cart since the start 0.5 = 1/2" in said
    assert "revenue_by_region GB since the start 14.99, count 1" in said
    assert "sales_velocity 2025-11-21 12:20 to 12:21 1" in said
    assert "290 records; `--json` prints each of them." == said[-1]


def test_table_at_an_instant(capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    """With --at the table has all that is true then."""
    monkeypatch.setenv("COLUMNS", "160")
    print_metrics(str(GOLDEN), at="2025-11-21T10:30:00Z")
    said = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    expected = "trending_games 2025-11-21 09:30 to 10:30 game_001 3 2, game_003 1 1, game_004 1 1"
    assert expected in said
    print_metrics(str(GOLDEN), at="2025-11-21T09:00:00Z")
    assert "Nothing had happened yet." in capsys.readouterr().out


def test_hostile_text_is_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    """Markup, terminal codes and marks of direction are shown, and obeyed by no terminal."""
    monkeypatch.setenv("COLUMNS", "160")
    path = tmp_path / "hostile.jsonl"
    queries = ["[bold]x[/]", "\x1b[31mred", "\u202eabc"]
    path.write_text("\n".join(json.dumps(search(f"10:00:0{n}", query=query))
                              for n, query in enumerate(queries)))  # fmt: skip
    print_metrics(str(path))
    said = capsys.readouterr().out
    assert "[bold]x[/] 1" in said
    assert "\\u001b[31mred" in said and "\x1b" not in said
    assert "\\u202eabc" in said and "\u202e" not in said
