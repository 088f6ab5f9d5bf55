"""The simulated store: a seeded planner of its visitors' events, with the truth beside them."""

from steamlab.simulator.chunk import Chunk
from steamlab.simulator.faults import Faults
from steamlab.simulator.planner import Plan
from steamlab.simulator.shocks import Bot, Outage, Release, Sale, Shock, Streamer

__all__ = [
    "Bot",
    "Chunk",
    "Faults",
    "Outage",
    "Plan",
    "Release",
    "Sale",
    "Shock",
    "Streamer",
]
