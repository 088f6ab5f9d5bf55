"""From wishes to orders: what a block of users wants, carts, buys or forgets, step by step.

A *pair* is a user and a game in one number. A step covers [begin, end); what happens later waits
in the state. A cart is settled once it has been quiet for `CART_GAP`, so everything before
`end - SETTLE` is known after the step.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from steamlab.simulator.chance import Floats, Ints, lognormal
from steamlab.simulator.params import DAY, HOUR, week_profile
from steamlab.simulator.rows import ADD, WISHED, Table, join, member, table
from steamlab.simulator.visits import BUY, WISH_FOR, Views
from steamlab.simulator.world import World

__all__ = ["CART_GAP", "SETTLE", "Journeys", "Outcome"]

CART_GAP = 30.0  # minutes without an add that end a cart's session
SETTLE = 60.0
CHECKOUT_MEDIAN, CHECKOUT_SIGMA = 3.0, 0.9
WISH_REMOVED_MEAN = 6 * DAY
REMOVAL = np.dtype([("time", "f8"), ("pair", "i8")])
KEPT = np.dtype([("pair", "i8"), ("until", "f8")])


def _no_pairs() -> Ints:
    return np.zeros(0, np.int64)


@dataclass(slots=True)
class Outcome:
    """What a step decided: wishes, cart adds, settled orders line by line, removals."""

    wishes: Table
    unwished: Table
    adds: Table
    lines: Table  # ADD rows of carts that are bought, cart by cart
    first: Ints  # where each order begins in `lines`
    paid_at: Floats
    on_list: Ints  # per line: 1 where the game was on the buyer's wishlist
    uncarted: Table  # ADD rows, `time` moved to the removal


@dataclass(slots=True)
class Journeys:
    """The state of a block of users; pair arrays are ascending."""

    world: World
    next_visit: int = 0
    wished: Ints = field(default_factory=_no_pairs)  # ever; nobody wishes for a game twice
    listed: Ints = field(default_factory=_no_pairs)  # on a wishlist now
    owned: Ints = field(default_factory=_no_pairs)
    kept: Table = field(default_factory=lambda: np.zeros(0, KEPT))  # left in an abandoned cart
    adds: Table = field(default_factory=lambda: np.zeros(0, ADD))  # to come, or in an open cart
    late_wishes: Table = field(default_factory=lambda: np.zeros(0, WISHED))
    removals: Table = field(default_factory=lambda: np.zeros(0, REMOVAL))

    def step(self, rng: np.random.Generator, views: Views, *, begin: float, end: float) -> Outcome:
        """Live through [begin, end) and return what happened."""
        wishes = self._wish(rng, views, end)
        self.adds = join(self.adds, self._convert(rng, wishes), self._direct(rng, views))
        cart = self._due_adds(end)
        head, tail = _carts(cart, self.world.params.games)
        bought = _spread(self._is_bought(cart, head), head, len(cart))
        still_open = _spread(cart["time"][tail] >= end - CART_GAP, head, len(cart))
        wishes = _without(wishes, cart[bought | still_open])
        self._list(rng, wishes)
        fresh = cart[~cart["known"]]
        self._keep_open(cart[still_open])
        lines, first, paid_at = self._orders(cart, head, tail, bought & ~still_open)
        uncarted = self._abandon(rng, cart, tail, head, ~bought & ~still_open, end)
        on_list = member(lines["pair"], self.listed).astype(np.int8)
        self.owned = _merge(self.owned, lines["pair"])
        unwished = self._unwish(end, carted=np.sort(cart["pair"]))
        self.listed = _drop(self.listed, lines["pair"])
        return Outcome(wishes, unwished, fresh, lines, first, paid_at, on_list, uncarted)

    def forget(self, user: int) -> None:
        """Forget users before this one: they left the store long ago."""
        low = user * self.world.params.games
        for name in ("wished", "listed", "owned"):
            pairs = getattr(self, name)
            setattr(self, name, pairs[np.searchsorted(pairs, low) :])
        for name in ("kept", "adds", "removals"):
            rows = getattr(self, name)
            setattr(self, name, rows[rows["pair"] >= low])

    def visits(self, count: int) -> Ints:
        """Number new visits."""
        self.next_visit += count
        return np.arange(self.next_visit - count, self.next_visit)

    # -- wishlists

    def _wish(self, rng: np.random.Generator, views: Views, end: float) -> Table:
        at = np.flatnonzero(views.choice == WISH_FOR)
        wishes = table(
            WISHED,
            len(at),
            time=views.time[at] + rng.uniform(0.1, 0.7, len(at)),
            pair=self._pairs(views, at),
            visit=views.visit[at],
            persona=views.persona[at],
            shock=views.shock[at],
        )
        wishes = join(self.late_wishes, wishes)
        late = wishes["time"] >= end
        self.late_wishes, wishes = wishes[late], wishes[~late]
        wishes = wishes[np.unique(wishes["pair"], return_index=True)[1]]
        known = member(wishes["pair"], self.wished) | member(wishes["pair"], self.owned)
        wishes = wishes[~known]
        self.wished = _merge(self.wished, wishes["pair"])
        return wishes

    def _pairs(self, views: Views, at: Ints) -> Ints:
        return np.asarray(views.user[at] * self.world.params.games + views.game[at])

    def _convert(self, rng: np.random.Generator, wishes: Table) -> Table:
        """Cart adds that the wishes lead to, sooner or later."""
        p, size = self.world.params, len(wishes)
        free = np.isin(wishes["pair"] % p.games, p.free_games)
        converts = (rng.random(size) < np.array(p.wish_converts)[wishes["persona"]]) & ~free
        wishes = wishes[converts]
        size, persona = len(wishes), wishes["persona"]
        roll, same = rng.random(size), np.array(p.converts_same_visit)[persona]
        soon = (roll >= same) & (roll < same + np.array(p.converts_in_hours)[persona])
        delay = rng.uniform(0.3, 6, size)
        delay[soon] = lognormal(rng, p.hours_median, p.hours_sigma, int(soon.sum()))
        days = ~soon & (roll >= same)
        delay[days] = lognormal(rng, p.days_median, p.days_sigma, int(days.sum()))
        time = wishes["time"] + delay
        time[days] = _active_hours(rng, time[days], wishes["time"][days] + DAY)
        returns = soon | days
        visit = np.where(returns, self.visits(size), wishes["visit"])
        return self._new_adds(rng, wishes, time=time, visit=visit, returns=returns)

    def _direct(self, rng: np.random.Generator, views: Views) -> Table:
        at = np.flatnonzero(views.choice == BUY)
        adds = table(ADD, len(at), pair=self._pairs(views, at), shock=views.shock[at])
        adds["persona"] = views.persona[at]
        time = views.time[at] + rng.uniform(0.15, 1.0, len(at))
        return self._new_adds(rng, adds, time=time, visit=views.visit[at], returns=False)

    def _new_adds(
        self,
        rng: np.random.Generator,
        rows: Table,
        *,
        time: Floats,
        visit: Ints,
        returns: Ints | bool,
    ) -> Table:
        return table(
            ADD,
            len(rows),
            time=time,
            pair=rows["pair"],
            visit=visit,
            luck=rng.random(len(rows)),
            pause=rng.standard_normal(len(rows)),
            persona=rows["persona"],
            returns=returns,
            shock=rows["shock"],
        )

    def _list(self, rng: np.random.Generator, wishes: Table) -> None:
        """Put the wishes on the lists; some of them are to be struck off one day."""
        self.listed = _merge(self.listed, wishes["pair"])
        going = wishes[rng.random(len(wishes)) < self.world.params.wish_removed]
        times = going["time"] + rng.exponential(WISH_REMOVED_MEAN, len(going))
        new = table(REMOVAL, len(going), time=times, pair=going["pair"])
        self.removals = join(self.removals, new)

    def _unwish(self, end: float, *, carted: Ints) -> Table:
        """Strike entries off the wishlists, but none that was ever carted."""
        due = self.removals["time"] < end
        gone, self.removals = self.removals[due], self.removals[~due]
        pairs = gone["pair"]
        wanted = member(pairs, carted) | member(pairs, self.owned)
        wanted |= member(pairs, self.kept["pair"]) | ~member(pairs, self.listed)
        gone = gone[~wanted]
        self.listed = _drop(self.listed, gone["pair"])
        return gone

    # -- carts

    def _due_adds(self, end: float) -> Table:
        """Adds of this step with those of open carts, one a pair, ordered by user and time."""
        due = self.adds["time"] < end
        rows, self.adds = self.adds[due], self.adds[~due]
        rows = rows[np.lexsort((rows["time"], rows["pair"]))]
        pair = rows["pair"]
        again = np.zeros(len(rows), bool)
        again[1:] = pair[1:] == pair[:-1]
        rows = rows[~again & ~member(pair, self.owned) & ~self._is_kept(rows)]
        game = rows["pair"] % self.world.params.games
        rows["cents"] = self.world.prices[self.world.offer(game, rows["time"]), game]
        return rows[np.lexsort((rows["time"], rows["pair"] // self.world.params.games))]

    def _is_kept(self, rows: Table) -> Ints:
        if not len(self.kept):
            return np.zeros(len(rows), bool)
        place = np.searchsorted(self.kept["pair"], rows["pair"]).clip(max=len(self.kept) - 1)
        found = self.kept[place]
        return np.asarray((found["pair"] == rows["pair"]) & (rows["time"] < found["until"]))

    def _is_bought(self, cart: Table, head: Ints) -> Ints:
        checkout = np.array(self.world.params.checkout)
        return np.asarray(cart["luck"][head] < checkout[cart["persona"][head]])

    def _keep_open(self, rows: Table) -> None:
        rows["known"] = True
        self.adds = join(self.adds, rows)

    def _orders(
        self, cart: Table, head: Ints, tail: Ints, mask: Ints
    ) -> tuple[Table, Ints, Floats]:
        paid = mask[head]
        pause = CHECKOUT_MEDIAN * np.exp(CHECKOUT_SIGMA * cart["pause"][head[paid]])
        counts = (tail - head + 1)[paid]
        return cart[mask], np.cumsum(counts) - counts, cart["time"][tail[paid]] + pause

    def _abandon(
        self, rng: np.random.Generator, cart: Table, tail: Ints, head: Ints, mask: Ints, end: float
    ) -> Table:
        """Leave games in carts that fell silent; a few are taken out an hour or two later."""
        left, last = cart[mask], _spread(cart["time"][tail], head, len(cart))[mask]
        removed = rng.random(len(left)) < self.world.params.cart_removed
        until = np.where(removed, last + rng.uniform(60, 120, len(left)), np.inf)
        kept = join(self.kept, table(KEPT, len(left), pair=left["pair"], until=until))
        kept = kept[kept["until"] >= end]
        self.kept = kept[np.argsort(kept["pair"], kind="stable")]
        gone = left[removed]
        gone["time"] = until[removed]
        return gone


def _carts(adds: Table, games: int) -> tuple[Ints, Ints]:
    """Return where each cart's session begins and ends in adds ordered by user and time."""
    if not len(adds):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    user, time = adds["pair"] // games, adds["time"]
    begins = np.ones(len(adds), bool)
    begins[1:] = (user[1:] != user[:-1]) | (time[1:] - time[:-1] >= CART_GAP)
    head = np.flatnonzero(begins)
    return head, np.append(head[1:], len(adds)) - 1


def _spread(per_cart: Ints, head: Ints, size: int) -> Ints:
    """Give each add what its cart has."""
    return np.asarray(np.repeat(per_cart, np.diff(np.append(head, size))))


def _without(wishes: Table, carted: Table) -> Table:
    """Drop wishes for games that are in the cart already, or bought."""
    order = np.argsort(carted["pair"], kind="stable")
    pairs, times = carted["pair"][order], carted["time"][order]
    if not len(pairs):
        return wishes
    place = np.searchsorted(pairs, wishes["pair"]).clip(max=len(pairs) - 1)
    in_cart = (pairs[place] == wishes["pair"]) & (times[place] < wishes["time"])
    return np.asarray(wishes[~in_cart])


def _active_hours(rng: np.random.Generator, times: Floats, earliest: Floats) -> Floats:
    """Move instants into hours of the same day in which people are about."""
    hours = week_profile().reshape(7, 24)
    chances = np.cumsum(hours / hours.sum(1, keepdims=True), axis=1)
    day = np.floor(times / DAY)
    row = chances[day.astype(np.int64) % 7]
    hour = (rng.random(len(times))[:, None] > row).sum(1).clip(0, 23)
    return np.asarray(np.maximum(day * DAY + (hour + rng.random(len(times))) * HOUR, earliest))


def _merge(ordered: Ints, new: Ints) -> Ints:
    return np.sort(np.concatenate([ordered, new]))


def _drop(ordered: Ints, gone: Ints) -> Ints:
    return ordered[~member(ordered, np.sort(gone))]
