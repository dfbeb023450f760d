"""Prices: from the table with its source, and never free for want of a figure."""

from __future__ import annotations

import pytest

from gbg_lib.prices import MONTH_HOURS, Amount, read_prices


def test_an_hour_and_a_month_of_what_stands() -> None:
    cost = read_prices("us-east-1").cost(Amount("t3.small", 2))
    assert cost is not None
    assert cost.hour == pytest.approx(0.0416)
    assert cost.month == pytest.approx(0.0416 * MONTH_HOURS)


def test_a_monthly_price_is_an_hourly_one_too() -> None:
    cost = read_prices("us-east-1").cost(Amount("snapshot GiB", 8))
    assert cost is not None
    assert cost.month == pytest.approx(0.40)


def test_what_the_table_lacks_has_no_price_and_is_named() -> None:
    prices = read_prices("us-east-1")
    amounts = [Amount("t3.small"), Amount("x99.huge")]
    assert prices.cost(Amount("x99.huge")) is None
    assert prices.unknown(amounts) == ["x99.huge"]
    assert prices.total(amounts).hour == pytest.approx(0.0208)


def test_a_region_that_the_table_lacks_says_whose_prices_it_shows() -> None:
    prices = read_prices("ap-south-1")
    assert prices.told.startswith(
        "roughly, by list prices of us-east-1, for want of ap-south-1's in USD, as of "
    )
    assert all(source.startswith("https://aws.amazon.com/") for source in prices.sources)


def test_every_region_knows_the_same_items() -> None:
    regions = [read_prices(region) for region in ("us-east-1", "eu-west-1", "eu-central-1")]
    assert len({frozenset(prices.hourly) for prices in regions}) == 1


def test_a_figure_from_memory_is_told_as_not_confirmed() -> None:
    prices = read_prices("us-east-1")
    assert prices.unconfirmed([Amount("t3.large"), Amount("t3.small"), Amount("x99.huge")]) == ["t3.large"]
    assert set(prices.seen) < set(prices.hourly)
