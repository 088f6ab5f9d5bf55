"""Names in events as metrics show them: a very long one by its beginning and a digest."""

from __future__ import annotations

from hashlib import blake2b

__all__ = ["LONGEST", "label"]

LONGEST = 200  # characters


def label(name: str) -> str:
    """Return a name itself, or of a longer one than `LONGEST` a label of that length.

    An event may hold a name of 60 KB: hundreds of those in one minute would make records that no
    topic takes.
    """
    if len(name) <= LONGEST:
        return name
    digest = blake2b(name.encode(), digest_size=8).hexdigest()
    return f"{name[: LONGEST - 1 - len(digest)]}…{digest}"
