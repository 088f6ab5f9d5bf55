"""The catalogue: ten given games, 490 invented ones, the same on every machine."""

from __future__ import annotations

import json
from pathlib import Path

from faker import Faker

from steamlab.catalog import build, catalog, write
from steamlab.game_provider import GameProvider
from steamlab.settings import data_path


def test_the_command_writes_the_same_file_again(tmp_path: Path) -> None:
    """`python -m steamlab.catalog` rebuilds data/games.json byte for byte."""
    write(tmp_path / "games.json")
    assert data_path("games.json").read_bytes() == (tmp_path / "games.json").read_bytes()


def test_another_seed_invents_other_games() -> None:
    """The seed decides, so the rebuilt file proves more than a constant would."""
    assert build(seed=1)[10:] != build(seed=2)[10:]
    assert build(seed=1)[:10] == build(seed=2)[:10]


def test_there_are_500_games_with_their_own_names() -> None:
    """Ids run from game_001 to game_500, and no two games share a title."""
    ids = [game.game_id for game in catalog()]
    assert [f"game_{number:03d}" for number in range(1, 501)] == ids
    assert 500 == len({game.game_name for game in catalog()})


def test_the_given_games_come_first() -> None:
    """The specification's ten games keep their names, categories, prices and tags."""
    given = [(game.game_name, game.category, game.price, game.tags) for game in catalog()[:10]]
    assert [
        ("Cyberpunk 2077", "RPG", 59.99, ("open-world", "story-rich", "cyberpunk")),
        ("Elden Ring", "Action", 59.99, ("souls-like", "open-world", "fantasy")),
        ("Stardew Valley", "Simulation", 14.99, ("farming", "relaxing", "pixel-art")),
        ("Counter-Strike 2", "FPS", 0.0, ("competitive", "multiplayer", "tactical")),
        ("Baldur's Gate 3", "RPG", 59.99, ("story-rich", "party-based", "fantasy")),
        ("Hades", "Roguelike", 24.99, ("action", "roguelike", "mythology")),
        ("The Witcher 3", "RPG", 39.99, ("open-world", "story-rich", "fantasy")),
        ("Factorio", "Strategy", 30.0, ("automation", "building", "management")),
        ("Terraria", "Sandbox", 9.99, ("2D", "crafting", "adventure")),
        ("Portal 2", "Puzzle", 19.99, ("puzzle", "co-op", "comedy")),
    ] == given


def test_only_the_given_free_game_is_free() -> None:
    """The calibration knows one free game, the fourth; all others cost 4.99 to 59.99."""
    assert [3] == [place for place, game in enumerate(catalog()) if game.price == 0]
    assert all(4.99 <= game.price <= 59.99 for game in catalog() if game.price)


def test_a_sale_price_is_lower_and_in_whole_cents() -> None:
    """Some games are on sale, none for nothing, and the file spells the price exactly."""
    on_sale = [game for game in catalog() if game.sale_price is not None]
    assert 40 <= len(on_sale) <= 90
    for game in on_sale:
        assert 0 < game.price_paid < game.price
        assert repr(game.price_paid) == f"{game.price_paid:.2f}".rstrip("0")
    assert "29.99" == f"{catalog()[0].price_paid}"


def test_tags_are_three_different_ones() -> None:
    """Every game has three tags and a category."""
    assert all(3 == len(set(game.tags)) and game.category for game in catalog())


def test_the_file_uses_the_field_names_of_the_events() -> None:
    """The JSON says gameId and gameName, and leaves salePrice out where there is no sale."""
    games = json.loads(data_path("games.json").read_text(encoding="utf-8"))
    assert {"gameId", "gameName", "category", "price", "salePrice", "tags"} == set(games[0])
    assert "salePrice" not in games[1]


def test_the_provider_serves_any_faker() -> None:
    """A learner's own seeded Faker can invent games with the provider."""
    fake = Faker()
    fake.add_provider(GameProvider)
    fake.seed_instance(1)
    first = (fake.game_title(), fake.game_category(), fake.game_price())
    fake.seed_instance(1)
    assert first == (fake.game_title(), fake.game_category(), fake.game_price())
    assert fake.game_price() >= 4.99
