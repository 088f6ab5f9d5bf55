"""The parts of `benchmarks/peers.py`; each `on_*.py` runs in an environment of its own."""
