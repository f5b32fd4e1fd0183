"""The page of cost says what its formula gives for what was measured."""

from __future__ import annotations

from tests.benchmarks.costs import Prices, gpu_seconds, last_measured, last_on_gpu, table
from tests.benchmarks.limits import (
    COUNTED,
    LARGE,
    calls_table,
    gigabytes_of_a_million,
    load,
    steps_table,
)
from tests.docs.blocks import PAGES


def test_table_is_that_of_the_measured_figures() -> None:
    """Line by line, and the figures that it rests on."""
    page = (PAGES / "cost.md").read_text()
    measured = last_measured()
    assert "\n".join(table(measured, last_on_gpu())) in page
    by_way = (*measured["core_s_of_a_pair"].values(), *measured["written_mb"].values())
    figures = (*by_way, measured["read_mb"])
    assert all(f"{figure:g}" in page for figure in figures)
    assert measured["file"] in page
    assert measured["date"].partition("T")[0] in page
    prices = Prices()
    for price in (prices.core_hour, prices.gpu_hour, prices.tb_month):
        assert f"$ {price:g} for " in page


def test_what_a_gpu_takes_is_what_was_measured_on_one() -> None:
    """The card, its date and file, and the seconds that the table rests on."""
    page, on_gpu = (PAGES / "cost.md").read_text(), last_on_gpu()
    start_s, pair_s = gpu_seconds(on_gpu)
    assert f"one {on_gpu['card']} with {on_gpu['machine']['cores']} cores" in page
    assert on_gpu["file"] in page
    assert on_gpu["date"].partition("T")[0] in page
    assert f"{pair_s:.2f} s for a pair, and once {start_s:.1f} s" in page
    seconds = {name: found["s"] for name, found in on_gpu["steps"].items()}
    cold, warm = seconds["infer, cold"], seconds["infer, warm"]
    assert f"the network are loaded | {cold:.1f} |" in page
    assert f"once they run | {warm:.1f}: {pair_s:.2f} for a pair |" in page
    assert f"prepares them | {seconds['epoch']:.1f}; {seconds['first epoch']:.1f} |" in page
    ours = f"{seconds['register default']:.1f}; {seconds['register best']:.1f}"
    assert f"with `best` | {ours} |" in page


def test_what_breaks_first_follows_from_the_counts() -> None:
    """Both tables, line by line, and the figures in the text beside them."""
    page = (PAGES / "cost.md").read_text()
    counted, large = load(COUNTED), load(LARGE)
    assert "\n".join(calls_table(counted)) in page
    assert "\n".join(steps_table(large)) in page
    assert COUNTED.name in page
    assert LARGE.name in page
    assert f"{counted['cases']:,} small cases" in page
    assert f"{large['cases']:,} cases, without their scans" in page
    report = large["report"]
    assert f"{report['pages']} pages of at most {report['largest page, MB']} MB" in page
    assert f"some\n  {gigabytes_of_a_million(large)} for `infer --resume`" in page
