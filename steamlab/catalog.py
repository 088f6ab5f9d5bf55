"""The store's 500 games: ten given ones, the rest invented by a seeded Faker provider.

`data/games.json` is the catalogue; `python -m steamlab.catalog` writes it again, byte for byte.
The order is the order of popularity: the simulator's visitors look at the first games most.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from steamlab.settings import data_path

if TYPE_CHECKING:
    from faker import Faker

__all__ = ["Game", "build", "catalog", "write"]

SEED = 2025
SIZE = 500


class Game(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One game of the catalogue; `sale_price` is there where the game is on sale."""

    game_id: str
    game_name: str
    category: str
    price: float
    sale_price: float | None = None
    tags: tuple[str, ...]

    @property
    def price_paid(self) -> float:
        """What the game costs today."""
        return self.price if self.sale_price is None else self.sale_price


GIVEN: tuple[tuple[str, str, float, float | None, str], ...] = (
    ("Cyberpunk 2077", "RPG", 59.99, 29.99, "open-world story-rich cyberpunk"),
    ("Elden Ring", "Action", 59.99, None, "souls-like open-world fantasy"),
    ("Stardew Valley", "Simulation", 14.99, None, "farming relaxing pixel-art"),
    ("Counter-Strike 2", "FPS", 0.0, None, "competitive multiplayer tactical"),
    ("Baldur's Gate 3", "RPG", 59.99, None, "story-rich party-based fantasy"),
    ("Hades", "Roguelike", 24.99, None, "action roguelike mythology"),
    ("The Witcher 3", "RPG", 39.99, None, "open-world story-rich fantasy"),
    ("Factorio", "Strategy", 30.0, None, "automation building management"),
    ("Terraria", "Sandbox", 9.99, None, "2D crafting adventure"),
    ("Portal 2", "Puzzle", 19.99, None, "puzzle co-op comedy"),
)


def build(*, size: int = SIZE, seed: int = SEED) -> tuple[Game, ...]:
    """Invent the catalogue; the same seed gives the same games."""
    fake = _faker(seed)
    games = [
        Game(
            game_id=_game_id(rank),
            game_name=name,
            category=category,
            price=price,
            sale_price=sale_price,
            tags=tuple(tags.split()),
        )
        for rank, (name, category, price, sale_price, tags) in enumerate(GIVEN)
    ]
    titles = {game.game_name for game in games}
    while len(games) < size:
        game = _invent(fake, _game_id(len(games)))
        if game.game_name not in titles:
            titles.add(game.game_name)
            games.append(game)
    return tuple(games)


def _faker(seed: int) -> Faker:
    from faker import Faker  # here, because only a rebuild needs it

    from steamlab.game_provider import GameProvider

    fake = Faker("en_US")
    fake.seed_instance(seed)
    fake.add_provider(GameProvider)
    return fake


def _game_id(rank: int) -> str:
    return f"game_{rank + 1:03d}"


def _invent(fake: Faker, game_id: str) -> Game:
    category, price = fake.game_category(), fake.game_price()
    return Game(
        game_id=game_id,
        game_name=fake.game_title(),
        category=category,
        price=price,
        sale_price=fake.game_sale_price(price),
        tags=fake.game_tags(category),
    )


def write(path: Path) -> None:
    """Write the catalogue as JSON, one game a line."""
    lines = b",\n".join(msgspec.json.encode(game) for game in build())
    path.write_bytes(b"[\n" + lines + b"\n]\n")


@functools.cache
def catalog() -> tuple[Game, ...]:
    """Return the store's games, most popular first."""
    return msgspec.json.decode(data_path("games.json").read_bytes(), type=tuple[Game, ...])


if __name__ == "__main__":
    write(data_path("games.json"))
