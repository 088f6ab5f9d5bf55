"""Invented games: a provider for Faker, which is slow to import and so has its own module."""

from __future__ import annotations

from faker.providers import BaseProvider

__all__ = ["GameProvider"]

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
