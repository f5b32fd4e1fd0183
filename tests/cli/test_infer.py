"""lungreg infer: its tables."""

from __future__ import annotations

from tests.site import Site


def test_figures_are_means_by_split_and_times(finished: tuple[Site, str]) -> None:
    """A table of cases, means for each split, time per case, and credits where rates are given."""
    site, _ = finished
    rates = ("--set", "cost={credits_per_node_hour: 2.68, nodes: 1, as_of: '2026-11-22'}")
    done = site.run("infer", *rates)
    assert "Means by split" in done.out
    for word in ("train", "val", "test", "s a case", "no GPU took part", "next: lungreg report"):
        assert word in done.out
    assert "credits on 1 node, rate of 2026-11-22" in done.out
    assert "published" not in done.out
    assert [row["split"] for row in site.run("infer", "--json").document["cases"]] == [
        *["train"] * 4,
        "val",
        "test",
    ]
