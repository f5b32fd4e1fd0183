"""The page: filters, counts, distributions, the table, a case's own page, and ratings of people.

It runs where lungreg is not installed, and with the Streamlit of Snowflake's warehouses: it keeps
to what all releases have.
"""

from __future__ import annotations

from typing import Protocol

import altair as alt
import pandas as pd
import streamlit as st

METRICS = {
    "tre_mm": "landmark error, mm",
    "etre_mm": "estimated landmark error, mm",
    "dice_score": "overlap of the lungs (Dice)",
    "hd95_mm": "distance of the outlines, 95 %, mm",
    "fold_pct": "folded volume, %",
    "ncc": "correlation after registration",
}
"""Columns that may be looked at as a distribution, with their words."""
VERDICTS = {"pass": "#3a7d44", "warn": "#d08c00", "fail": "#b23a48"}
"""Verdicts with their colours, which are those of the report."""
RATINGS = ("good", "doubtful", "bad")
NOT_RATED = "not rated"
_SHOWN = (
    *("case_id", "verdict", "evidence", "rating", *METRICS, "reasons"),
    *("run_id", "finished_at"),
)
_PAGE_HEIGHT_PX = 1100


class AppData(Protocol):
    """Where the page reads and writes."""

    def results(self) -> pd.DataFrame:
        """The latest success of each case, with lower-case columns."""

    def page(self, run_id: str, case_id: str) -> str | None:
        """The HTML page of a case; None where the run made none."""

    def ratings(self) -> pd.DataFrame:
        """The latest rating of each run and case: run_id, case_id, rating, note, rated_by."""

    def rate(self, run_id: str, case_id: str, rating: str, note: str) -> None:
        """Save what a person thinks of a registration."""


def show(data: AppData) -> None:
    """Draw the page; called by Streamlit again after each click."""
    st.set_page_config(page_title="lungreg", layout="wide")
    st.title("Registered lungs")
    st.caption("The latest registration of each case. Research use only, not a medical device.")
    results = data.results()
    if results.empty:
        st.info("No case is registered yet: run 'lungreg infer'.")
        return
    rated = _with_ratings(results, data.ratings())
    chosen = _filtered(rated)
    _counts(chosen, len(rated))
    if chosen.empty:
        st.info("No case is left: widen the filters.")
        return
    _distribution(chosen)
    st.dataframe(chosen[[name for name in _SHOWN if name in chosen]], hide_index=True)
    _case(data, chosen)


def _with_ratings(results: pd.DataFrame, ratings: pd.DataFrame) -> pd.DataFrame:
    keys = ["run_id", "case_id"]
    found = ratings[[*keys, "rating", "note", "rated_by"]]
    joined = results.merge(found, on=keys, how="left")
    return joined.assign(rating=joined["rating"].fillna(NOT_RATED)).sort_values("case_id")


def _filtered(results: pd.DataFrame) -> pd.DataFrame:
    """The rows that the filters at the side leave."""
    side = st.sidebar
    side.header("Filters")
    text = side.text_input("Case id contains", key="text")
    verdicts = _choice("Verdict", "verdict", results)
    ratings = _choice("Rating", "rating", results)
    runs = _choice("Run", "run_id", results)
    kept = results["verdict"].isin(verdicts) & results["rating"].isin(ratings)
    kept &= results["run_id"].isin(runs)
    kept &= results["case_id"].str.contains(text, case=False, regex=False)
    return results[kept]


def _choice(label: str, column: str, results: pd.DataFrame) -> list[str]:
    """The values of a column that are let through; none chosen means all."""
    values = sorted(str(value) for value in results[column].unique())
    return st.sidebar.multiselect(label, values, key=column) or values


def _counts(chosen: pd.DataFrame, total: int) -> None:
    places = st.columns(1 + len(VERDICTS))
    places[0].metric("cases", f"{len(chosen)} of {total}")
    for place, verdict in zip(places[1:], VERDICTS, strict=True):
        place.metric(verdict, int((chosen["verdict"] == verdict).sum()))


def _distribution(chosen: pd.DataFrame) -> None:
    measured = [name for name in METRICS if name in chosen and chosen[name].notna().any()]
    if not measured:
        return
    name = st.selectbox("Distribution of", measured, format_func=METRICS.__getitem__, key="metric")
    colours = alt.Scale(domain=[*VERDICTS], range=[*VERDICTS.values()])
    rows = chosen[[name, "verdict"]].dropna()
    bars = alt.Chart(rows).mark_bar()
    chart = bars.encode(
        x=alt.X(f"{name}:Q", bin=alt.Bin(maxbins=30), title=METRICS[name]),
        y=alt.Y("count()", title="cases", axis=alt.Axis(tickMinStep=1, format="d")),
        color=alt.Color("verdict:N", scale=colours, title="verdict"),
    )
    st.altair_chart(chart.properties(height=220))


def _case(data: AppData, chosen: pd.DataFrame) -> None:
    """One case: what people think of it, and its own page."""
    st.header("A case")
    case_id = st.selectbox("Case", list(chosen["case_id"]), key="case")
    row = chosen[chosen["case_id"] == case_id].iloc[0]
    run_id = str(row["run_id"])
    with st.form(f"rating {run_id} {case_id}"):
        known = str(row["rating"])
        start = RATINGS.index(known) if known in RATINGS else None
        rating = st.radio("Your rating", RATINGS, index=start, horizontal=True)
        note = st.text_input("Note", "" if pd.isna(row["note"]) else str(row["note"]))
        is_saved = st.form_submit_button("Save")
        if is_saved and rating is None:
            st.warning("Choose a rating first.")
        elif is_saved:
            data.rate(run_id, case_id, str(rating), note)
            st.success(f"Saved: {rating}. The table shows it from the next click on.")
    if known != NOT_RATED:
        st.caption(f"Rated {known} by {row['rated_by']}.")
    page = data.page(run_id, case_id)
    if page is None:
        st.info("This run made no pages: infer.qc was false.")
        return
    _framed(page)


def _framed(html: str) -> None:
    """Show a page in a frame, by the function that this release of Streamlit has for it."""
    if hasattr(st, "iframe"):
        st.iframe(html, height=_PAGE_HEIGHT_PX)
        return
    from streamlit.components.v1 import html as framed

    framed(html, height=_PAGE_HEIGHT_PX, scrolling=True)
