"""The store's 500 games: ten given ones, the rest invented by a seeded Faker provider.

`data/games.json` is the catalogue; `python -m steamlab.catalog` writes it again, byte for byte.
The order is the order of popularity: the simulator's visitors look at the first games most.
"""

from __future__ import annotations

import functools
from pathlib import Path

import msgspec
from faker import Faker
from faker.providers import BaseProvider

from steamlab.settings import data_path

__all__ = ["Game", "GameProvider", "build", "catalog", "write"]

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

CATEGORIES: dict[str, str] = {
    "RPG": "story-rich fantasy turn-based party-based open-world character-customization",
    "Action": "fast-paced souls-like hack-and-slash third-person bosses parkour",
    "Simulation": "relaxing farming management realistic life-sim physics",
    "FPS": "competitive tactical shooter multiplayer arena military",
    "Roguelike": "procedural permadeath deck-building dungeon-crawler bullet-hell replayable",
    "Strategy": "turn-based real-time building automation war-game 4X",
    "Sandbox": "crafting survival building exploration creative base-building",
    "Puzzle": "logic relaxing minimalist physics hidden-object brain-teaser",
    "Adventure": "story-rich point-and-click mystery choices exploration narrative",
    "Racing": "driving arcade offroad simulation time-trial split-screen",
    "Sports": "team-based football basketball management competitive career-mode",
    "Horror": "survival-horror psychological dark atmospheric zombies stealth",
}
ANYWHERE = "indie co-op pixel-art 2D 3D sci-fi cyberpunk retro funny controller-support".split()
PRICES = (4.99, 7.99, 9.99, 12.99, 14.99, 19.99, 24.99, 29.99, 34.99, 39.99, 49.99, 59.99)
DISCOUNTS = (10, 20, 25, 33, 40, 50, 60, 75)

_FIRST = (
    "Ashen Azure Broken Burning Copper Crimson Distant Electric Emerald Endless Fallen Forgotten "
    "Frozen Gilded Hidden Hollow Infinite Iron Last Lost Lunar Midnight Neon Obsidian Pale Quiet "
    "Radiant Restless Rusted Sacred Scarlet Secret Shattered Silent Solar Stellar Sunken Velvet "
    "Wandering Wild"
).split()
_SECOND = (
    "Anvil Archive Beacon Bastion Canyon Caravan Circuit Citadel Colony Comet Compass Crown Delta "
    "Dominion Dragon Dynasty Echo Empire Engine Exile Forest Forge Frontier Garden Harbor Harvest "
    "Horizon Kingdom Labyrinth Lantern Legion Meadow Mirage Moon Oath Orchard Outpost Path Raven "
    "Realm Requiem River Sanctum Signal Station Summit Tide Tower Voyage Workshop"
).split()
_PLACES = "Arcadia Avalon Brightwater Elsewhere Kepler Mirador Norra Solace Tarn Vesper".split()


class GameProvider(BaseProvider):  # type: ignore[misc]  # Faker is untyped here
    """Games for Faker: `fake.game_title()`, `game_category()`, `game_price()`, `game_tags()`."""

    def game_title(self) -> str:
        """Return a title that could stand on a box."""
        pick = self.generator.random.choice
        first, second, place = pick(_FIRST), pick(_SECOND), pick(_PLACES)
        forms = (
            f"{first} {second}",
            f"{first} {second} {pick(('II', 'III', '2', '3'))}",
            f"{second} of {place}",
            f"{second} & {first} {pick(_SECOND)}",
            f"{first} {second}: {pick(('Origins', 'Reborn', 'Tactics', 'Rising'))}",
            f"{second} {pick(('Simulator', 'Tycoon', 'Online', 'Manager', 'Heroes'))}",
        )
        return str(pick(forms))

    def game_category(self) -> str:
        """Return one of the store's categories."""
        return str(self.generator.random.choice(tuple(CATEGORIES)))

    def game_price(self) -> float:
        """Return a usual price in USD, never free."""
        return float(self.generator.random.choice(PRICES))

    def game_sale_price(self, price: float) -> float | None:
        """Return what a price is marked down to, for about one game in eight, else None."""
        if self.generator.random.random() >= 0.125:
            return None
        percent = int(self.generator.random.choice(DISCOUNTS))
        return round(price * 100) * (100 - percent) // 100 / 100

    def game_tags(self, category: str) -> tuple[str, ...]:
        """Return three tags, two of them usual in the category."""
        own = sorted(CATEGORIES[category].split(), key=lambda _: self.generator.random.random())
        return (*own[:2], self.generator.random.choice(ANYWHERE))


def build(*, size: int = SIZE, seed: int = SEED) -> tuple[Game, ...]:
    """Invent the catalogue; the same seed gives the same games."""
    fake = Faker("en_US")
    fake.seed_instance(seed)
    fake.add_provider(GameProvider)
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
