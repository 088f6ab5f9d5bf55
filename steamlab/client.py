"""What every Kafka client of the lab is built from: a plain dictionary."""

from __future__ import annotations

import logging
from typing import Any

__all__ = ["client_config"]

_LOGGER = logging.getLogger("steamlab.kafka")
_LOGGER.addHandler(logging.NullHandler())
_LOGGER.propagate = False


def client_config(bootstrap: str) -> dict[str, Any]:
    """Return the settings that all clients share: the address, a logger, a quiet log level.

    Without `logger` librdkafka writes to the process's stderr, which Jupyter shows
    under whatever cell happens to run. Add a handler to `steamlab.kafka` to read it.

        Producer(client_config("127.0.0.1:29092") | {"acks": "all"})
    """
    return {"bootstrap.servers": bootstrap, "logger": _LOGGER, "log_level": 3}
