"""The three notebooks run one after the other as they stand, and are committed without outputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
import yaml
from nbclient import NotebookClient

from lungreg.config import load_config
from tests.site import CASES, SETTINGS, Site

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
NAMES = ("01_ingest.ipynb", "02_train.ipynb", "03_infer.ipynb")
SMALL = {
    "ingest": SETTINGS["ingest"],
    "data": {"split": {"train": [*CASES[:2]], "val": [CASES[4]], "test": [CASES[5]]}},
    "preprocessing": SETTINGS["preprocessing"],
    "network": SETTINGS["network"],
    "train": {"workers": 0, "epochs": 2, "device": "cpu"},
    "refine": {"enabled": False},
}
"""In place of what the configuration of the notebooks takes minutes with."""


def read(name: str) -> Any:
    return nbformat.read(NOTEBOOKS / name, as_version=4)


@pytest.mark.slow
def test_the_notebooks_run_one_after_the_other(raw: Site) -> None:
    """Each cell works on small simulated pairs; there are tables, pictures and the report.

    In one kernel, which spares two imports of torch.
    """
    settings = yaml.safe_load((NOTEBOOKS / "notebooks.yaml").read_text(encoding="utf-8"))
    settings["infer"]["cases"] = [CASES[5]]
    (raw.folder / "notebooks.yaml").write_text(yaml.safe_dump({**settings, **SMALL}))
    notebooks = {name: read(name) for name in NAMES}
    cells = [cell for notebook in notebooks.values() for cell in notebook.cells]
    there = {"metadata": {"path": str(raw.folder)}}
    NotebookClient(nbformat.v4.new_notebook(cells=cells), resources=there, timeout=250).execute()
    assert {name: shown(notebook) for name, notebook in notebooks.items()} == {
        NAMES[0]: ["text/html", "image/png"],
        NAMES[1]: ["text/html", "image/png"],
        NAMES[2]: ["text/html", "image/png", "text/html", "text/html"],
    }
    (page,) = (raw.folder / "lungreg-data" / "runs").glob("infer-*/cases/*/qc.html")
    assert page.parent.name == CASES[5]


def shown(notebook: Any) -> list[str]:
    """The kinds of what the cells of a notebook end with.

    Nothing is complained of, but that the package ipywidgets is not there.
    """
    outputs = [item for cell in notebook.cells for item in cell.get("outputs", ())]
    complaints = [item.text for item in outputs if item.get("name") == "stderr"]
    assert [text for text in complaints if "ipywidgets" not in text] == []
    ends = [item.data for item in outputs if item.output_type == "execute_result"]
    return [kind for data in ends for kind in data if kind != "text/plain"]


def test_the_notebooks_are_committed_without_outputs() -> None:
    """No output, no execution count, and nothing of the machine they were written on."""
    assert {file.name for file in NOTEBOOKS.glob("*.ipynb")} == set(NAMES)
    for name in NAMES:
        notebook = read(name)
        nbformat.validate(notebook)
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        assert not any(cell.outputs or cell.execution_count is not None for cell in code)
        assert set(notebook.metadata) == {"kernelspec", "language_info"}
        assert notebook.metadata.kernelspec.name == "python3"
        text = (NOTEBOOKS / name).read_text(encoding="utf-8")
        assert not [path for path in ("/home/", "/Users/", "/tmp/", "C:\\\\") if path in text]


def test_the_notebooks_begin_alike() -> None:
    """Whoever has seen how one starts knows the others, and one setup serves all."""
    starts = [[cell.source for cell in read(name).cells[1:6]] for name in NAMES]
    assert starts[0] == starts[1] == starts[2]
    assert 'config_file = "notebooks.yaml"' in starts[0][3]


def test_their_configuration_is_valid_and_needs_no_ray() -> None:
    """Simulated pairs, in one process; what is registered at last is what training never saw."""
    config = load_config(NOTEBOOKS / "notebooks.yaml")
    assert config.ingest.source == "simulate"
    assert (config.train.workers, config.infer.workers) == (0, 0)
    assert isinstance(config.data.split.test, list)
    assert set(config.data.split.test) <= set(config.infer.cases or ())
