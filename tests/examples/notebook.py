# %% [markdown]
# # lungreg in a notebook
# From simulated pairs to a report. Open this file as a notebook with jupytext, or run it as a
# script; the same calls work on your own scans.

# %%
import tempfile
from pathlib import Path

import lungreg

folder = Path(tempfile.mkdtemp(prefix="lungreg-notebook-"))

# %% Pairs with known truth; your own data would be ingested from a folder, archive or URL.
lungreg.simulate(
    folder / "training", cases=4, seed=1, shape=(56, 48, 56), spacing_mm=(5.5, 5.5, 5.2)
)

# %% A configuration: everything left out keeps its default. `workers: 0` needs no Ray.
config = lungreg.parse_config(
    {
        "backend": {"root": str(folder / "stage"), "tracking": False},
        "ingest": {"source": str(folder / "training")},
        "data": {"split": {"train": 0.5, "val": 0.25, "test": 0.25}},
        "preprocessing": {"spatial_size": [32, 32, 32]},
        "network": {"num_channel_initial": 4},
        "loss": {"dice": 10.0, "landmarks": 0.3},
        "train": {"workers": 0, "epochs": 1, "learning_rate": 1.0e-3},
        "infer": {"model": "lung_ct_registration", "workers": 0},
    }
)

# %% The steps return records.
ingested = lungreg.ingest(config)
print(f"{len(ingested.rows)} cases, {len(ingested.rejected)} rejected")

trained = lungreg.train(config)
print(f"{trained.card.name} version {trained.card.version}: {trained.card.metrics}")

registered = lungreg.infer(config)
for row in registered.results:
    print(row.case_id, row.split, row.verdict, row.dice_aligned, row.dice_score, row.tre_mm)

# %% Results are SQL, the report is a page.
print(lungreg.query_results(config, "SELECT verdict, count(*) FROM results GROUP BY verdict"))
page = folder / "stage" / lungreg.report(config, registered.run_id)
print(page)

# %% A figure of one case: before, after and difference in three views.
figure = lungreg.show(registered.results[0], config)
figure.savefig(folder / "case.png")
