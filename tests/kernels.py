"""Kernels that are reached by files, so that several may start at a time."""

from __future__ import annotations

import tempfile
from typing import Any

from jupyter_client.manager import KernelManager

__all__ = ["OverFiles"]


class OverFiles(KernelManager):
    """Starts a kernel that listens at files in a folder of its own.

    A kernel reached by TCP is told five free ports before it binds them. Whatever else starts in
    between may take one of them: the kernel dies, or waits for ever. That is rare, and is seen
    where notebooks, brokers and browsers start side by side (jupyter_client, issue 487).
    """

    def __init__(self, **kwargs: Any) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="kernel-")  # short: a socket's path is
        super().__init__(transport="ipc", ip=f"{self._folder.name}/at", **kwargs)
