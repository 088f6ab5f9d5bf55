"""Turn what a step decided into events: wishlists, carts, purchases and their lines."""

from __future__ import annotations

import numpy as np

from steamlab.simulator.chance import Ints
from steamlab.simulator.journeys import Outcome
from steamlab.simulator.rows import (
    ADDED,
    CART,
    EVENT,
    LINE,
    PURCHASE,
    REMOVED,
    WISH,
    Table,
    join,
    table,
)  # fmt: skip
from steamlab.simulator.world import World

__all__ = ["moves"]

NO_VISIT = -1  # explicit removals stand alone


def moves(world: World, outcome: Outcome, *, orders: Ints) -> tuple[Table, Table]:
    """Return the events that change a user's wishlist or cart, and the lines of the orders."""
    wished = _move(world, outcome.wishes, WISH, ADDED, wishes=1, visit=outcome.wishes["visit"])
    unwished = _move(world, outcome.unwished, WISH, REMOVED, wishes=-1, visit=NO_VISIT)
    adds, gone = outcome.adds, outcome.uncarted
    carted = _move(world, adds, CART, ADDED, items=1, cents=adds["cents"], visit=adds["visit"])
    uncarted = _move(world, gone, CART, REMOVED, items=-1, cents=-gone["cents"], visit=NO_VISIT)
    for rows, source in ((wished, outcome.wishes), (carted, adds), (uncarted, gone)):
        rows["shock"] = source["shock"]
    bought, lines = _orders(world, outcome, orders)
    return join(wished, unwished, carted, uncarted, bought), lines


def _move(world: World, rows: Table, kind: int, what: int, **columns: object) -> Table:
    user, game = np.divmod(rows["pair"], world.params.games)
    time = world.to_ms(rows["time"])
    return table(EVENT, len(rows), time=time, user=user, game=game, kind=kind, what=what, **columns)


def _orders(world: World, outcome: Outcome, numbers: Ints) -> tuple[Table, Table]:
    lines, first = outcome.lines, outcome.first
    if not len(first):
        return np.zeros(0, EVENT), np.zeros(0, LINE)
    count = np.diff(np.append(first, len(lines)))
    orders = table(
        EVENT,
        len(first),
        time=world.to_ms(outcome.paid_at),
        user=lines["pair"][first] // world.params.games,
        game=lines["pair"][first] % world.params.games,
        kind=PURCHASE,
        visit=lines["visit"][first],
        number=numbers,
        items=-count,
        cents=-np.add.reduceat(lines["cents"], first),
        wishes=-np.add.reduceat(outcome.on_list, first),
        shock=lines["shock"][first],
    )
    games = lines["pair"] % world.params.games
    order = np.repeat(numbers, count)
    return orders, table(LINE, len(lines), order=order, game=games, cents=lines["cents"])
