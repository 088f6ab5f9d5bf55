"""The shocks' share in the journeys: extra visitors, woken wishlists, games not out yet."""

from __future__ import annotations

import numpy as np

from steamlab.simulator.journeys import Journeys
from steamlab.simulator.visits import Views
from steamlab.simulator.world import World

__all__ = ["crowd_views", "hold_back", "wake_holders"]


def crowd_views(world: World, views: Views, *, shard: int, week: int) -> Views:
    return views


def hold_back(world: World, views: Views) -> None:
    return None


def wake_holders(world: World, journeys: Journeys, *, shard: int, begin: float, end: float) -> None:
    return None
