"""A stretch of planned events in the order of their arrival."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from steamlab.simulator.chance import Ints
from steamlab.simulator.encode import Encoder, Record
from steamlab.simulator.faults import FAULTS
from steamlab.simulator.params import PERSONAS
from steamlab.simulator.rows import Table
from steamlab.simulator.shocks import LABELS
from steamlab.simulator.world import ADMIT, FIRST_USER

__all__ = ["Chunk"]


@dataclass(frozen=True, eq=False)
class Chunk:
    """Events in arrival order, not yet written out; at most those of one store day."""

    rows: Table
    lines: Table
    encoder: Encoder

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def arrival_ms(self) -> NDArray[np.int64]:
        """When each event arrives, in milliseconds since 1970; ascending."""
        return np.ascontiguousarray(self.rows["arrival"])

    @property
    def event_ms(self) -> NDArray[np.int64]:
        """When each event happened, in milliseconds since 1970."""
        return np.ascontiguousarray(self.rows["time"])

    @property
    def kind(self) -> NDArray[np.uint8]:
        """Each event's topic, as an index into STORE_TOPICS."""
        return np.ascontiguousarray(self.rows["kind"])

    @property
    def admit(self) -> NDArray[np.float64]:
        """Each event's user as a fixed number in [0, 1): a smaller scale admits those below."""
        return self.encoder.world.user_chance(self.rows["user"], ADMIT)

    def where(self, mask: NDArray[np.bool_]) -> Chunk:
        """Return a chunk of some of the events, like those of some users."""
        return Chunk(self.rows[mask], self.lines, self.encoder)

    def encode(
        self, lo: int = 0, hi: int | None = None, only: set[int] | None = None
    ) -> list[Record]:
        """Return (kind, key, value, headers) for the events lo to hi, or for some kinds of them."""
        rows = self.rows[lo:hi]
        if only is not None:
            rows = rows[np.isin(rows["kind"], list(only))]
        return self.encoder.records(rows, self.lines)

    def truth(self) -> pd.DataFrame:
        """Return what only the simulator knows, event by event in the same order.

        Columns: event_id (the header ce_id), user_id, persona, visit (-1: outside of any visit),
        fault ("", offline, very_late, duplicate), delay_ms, shock ("" or its name).
        """
        rows, world = self.rows, self.encoder.world
        return pd.DataFrame(
            {
                "event_id": [f"{number:016x}" for number in rows["id"].tolist()],
                "user_id": [f"user_{user}" for user in (rows["user"] + FIRST_USER).tolist()],
                "persona": _named(world.persona(rows["user"]), PERSONAS),
                "visit": rows["visit"],
                "fault": _named(rows["fault"], FAULTS),
                "delay_ms": rows["arrival"] - rows["time"],
                "shock": _named(rows["shock"], LABELS),
            }
        )


def _named(codes: Ints, names: tuple[str, ...]) -> Ints:
    return np.array(names, object)[codes]
