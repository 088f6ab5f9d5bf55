"""Metrics 1 to 4: what is sold. Each function sees the orders of one window."""

from __future__ import annotations

import pandas as pd

from steamlab.metrics.values import Values, money

__all__ = ["average_order_value", "revenue", "sales_velocity"]


def revenue(orders: pd.DataFrame) -> Values:
    """Sum what was paid (metrics 1 and 4): of a minute, of the last 60 seconds, of a region.

    A free order adds 0.00, and is an order.
    """
    return {"value": money(orders["cents"].sum()), "count": len(orders)}


def sales_velocity(orders: pd.DataFrame) -> Values:
    """Count the orders (metric 2), free ones too."""
    return {"value": len(orders)}


def average_order_value(orders: pd.DataFrame) -> Values:
    """Divide what was paid by the orders (metric 3), and by those that were not free."""
    total, paid = orders["cents"].sum(), int((orders["cents"] > 0).sum())
    return {
        "value": money(total, len(orders)),
        "numerator": money(total),
        "denominator": len(orders),
        "paid_value": money(total, paid),
        "paid_denominator": paid,
    }
