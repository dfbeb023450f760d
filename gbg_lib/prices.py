"""What things cost: a small table of list prices with its sources and date, in prices.yaml.

What is not in the table has no price and is told as such, never as free. So is what nobody has confirmed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

TABLE = Path(__file__).with_suffix(".yaml")
ELSEWHERE = "us-east-1"
"""whose prices stand in for a region that the table lacks"""
MONTH_HOURS = 730.0
"""as AWS's own calculator counts"""
HOUR_MINUTES = 60.0


@dataclass(frozen=True)
class Cost:
    """In USD an hour, as long as something stands or is used."""

    hour: float

    @property
    def month(self) -> float:
        return self.hour * MONTH_HOURS


@dataclass(frozen=True)
class Amount:
    """So many of an item of the table: instances, GiB, minutes."""

    item: str
    count: float = 1.0


@dataclass(frozen=True)
class Prices:
    region: str
    of_region: str
    """whose prices they are"""
    as_of: str
    sources: tuple[str, ...]
    hourly: Mapping[str, float]
    """item → USD an hour"""
    seen: Mapping[str, str]
    """item → when it was last known to stand so; missing for a figure from memory"""

    def cost(self, amount: Amount) -> Cost | None:
        """None for an item without a price."""
        price = self.hourly.get(amount.item)
        return None if price is None else Cost(price * amount.count)

    def total(self, amounts: Iterable[Amount]) -> Cost:
        """Of those that have a price."""
        found = [self.cost(amount) for amount in amounts]
        return Cost(sum(cost.hour for cost in found if cost is not None))

    def unknown(self, amounts: Iterable[Amount]) -> list[str]:
        """Items without a price."""
        return sorted({amount.item for amount in amounts if amount.item not in self.hourly})

    def unconfirmed(self, amounts: Iterable[Amount]) -> list[str]:
        """Items whose price is from memory."""
        asked = {amount.item for amount in amounts}
        return sorted(item for item in asked & self.hourly.keys() if item not in self.seen)

    @property
    def told(self) -> str:
        """Where the figures come from, for the line below a table."""
        other = f", for want of {self.region}'s" if self.of_region != self.region else ""
        return f"roughly, by list prices of {self.of_region}{other} in USD, as of {self.as_of}"


def read_prices(region: str) -> Prices:
    table = _table()
    of_region = region if region in table["regions"] else ELSEWHERE
    listed = table["regions"][of_region]
    pages = dict.fromkeys(table["pages"][price["page"]] for price in listed.values())
    return Prices(
        region,
        of_region,
        str(table["as_of"]),
        tuple(pages),
        {item: _an_hour(price) for item, price in listed.items()},
        {item: str(price["seen"]) for item, price in listed.items() if "seen" in price},
    )


UNITS = {"hour": 1.0, "month": 1.0 / MONTH_HOURS, "minute": HOUR_MINUTES}


def _an_hour(price: Mapping[str, Any]) -> float:
    [figure] = [price[unit] * factor for unit, factor in UNITS.items() if unit in price]
    return float(figure)


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = yaml.safe_load(TABLE.read_text())
    return table
