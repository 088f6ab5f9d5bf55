"""Kernels of the run's notebooks are not told ports, which others could take first."""

from __future__ import annotations

import subprocess
from pathlib import Path

import nbval.kernel
import psutil
import pytest
from jupyter_client.manager import KernelManager

from tests.kernels import OverFiles

pytestmark = pytest.mark.slow


def _ports(manager: KernelManager) -> int:
    """Count the ports at which the kernel listens, save the one that it chooses by itself."""
    connections = psutil.Process(manager.provisioner.pid).net_connections("tcp")
    return sum(each.status == psutil.CONN_LISTEN for each in connections) - 1


def test_a_notebook_that_is_validated_has_no_ports(tmp_path: Path) -> None:
    """Its kernel listens at files, and they are gone when it is."""
    kernel = nbval.kernel.RunningKernel(nbval.kernel.CURRENT_ENV_KERNEL_NAME, cwd=str(tmp_path))
    folder = Path(kernel.km.ip).parent
    try:
        assert 0 == _ports(kernel.km)
        assert 5 == len(list(folder.iterdir()))
    finally:
        kernel.stop()
    assert not list(folder.iterdir())


@pytest.mark.parametrize(("kind", "ports"), [(KernelManager, 5), (OverFiles, 0)])
def test_a_kernel_of_jupyter_has_ports(kind: type[KernelManager], ports: int) -> None:
    """The control: the five channels of a usual kernel are five ports."""
    manager = kind(kernel_name="python3")
    manager.start_kernel(stderr=subprocess.DEVNULL)
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=120)
        assert ports == _ports(manager)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
