"""What visitors type into the search box, and how many games the store finds for it."""

from __future__ import annotations

import functools
from collections import Counter
from itertools import permutations
from typing import NamedTuple

from steamlab.catalog import Game, catalog

__all__ = ["HITS_PER_GAME", "Query", "first_miss", "queries"]

HITS_PER_GAME = 4
_WISHFUL = (
    "half-life 3", "gta 6", "portal 3", "bloodborne pc", "free skins", "wow classic",
    "mario kart", "silksong 2", "minecraft 2", "final fantasy 17",
)  # fmt: skip


class Query(NamedTuple):
    """A search: its text, the number of games found, the tags that filter it."""

    text: str
    results: int
    tags: tuple[str, ...]


@functools.cache
def queries() -> tuple[Query, ...]:
    """Return every query: four that lead to each game, game by game, then those without results."""
    games = catalog()
    by_tag = Counter(tag for game in games for tag in game.tags)
    by_kind = Counter((tag, game.category) for game in games for tag in game.tags)
    by_two = Counter(pair for game in games for pair in permutations(game.tags, 2))
    titles = "\n".join(game.game_name.lower() for game in games)
    hits = []
    for game in games:
        name, tag, other = game.game_name.lower(), game.tags[0], game.tags[1]
        words = tag.replace("-", " ")
        hits += [
            Query(name, titles.count(name), ()),
            Query(words, by_tag[tag], ()),
            Query(f"{words} {game.category}".lower(), by_kind[tag, game.category], (tag,)),
            Query(words, by_two[tag, other], (tag, other)),
        ]
    misses = [Query(text, 0, ()) for text in _WISHFUL]
    return (*hits, *misses, *(_misspelt(game) for game in games[:40]))


def first_miss() -> int:
    """Return the index of the first query that finds nothing."""
    return HITS_PER_GAME * len(catalog())


def _misspelt(game: Game) -> Query:
    """Leave out the third letter, as hurried fingers do."""
    name = game.game_name.lower()
    return Query(name[:2] + name[3:], 0, game.tags[:1])
