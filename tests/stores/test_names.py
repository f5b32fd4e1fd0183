"""The names on a stage: users and older versions know them, so that they never change."""

from __future__ import annotations

from lungreg.stores import check_name
from lungreg.stores.names import CASE_INPUTS, CaseNames, ModelNames, RunNames

KNOWN = {
    "runs/R/config.json",
    "runs/R/split.json",
    "runs/R/history.json",
    "runs/R/report.html",
    "runs/R/checkpoints",
    "runs/R/results",
    "runs/R/usage",
    "runs/R/audit",
    "runs/R/batch",
    "runs/R/cases",
    "runs/R/cases/C/registered_img.nii.gz",
    "runs/R/cases/C/registered_label.nii.gz",
    "runs/R/cases/C/displacement.nii.gz",
    "runs/R/cases/C/displacement.json",
    "runs/R/cases/C/metrics.json",
    "runs/R/cases/C/qc.html",
}


def test_names_of_a_run_are_those_of_earlier_versions() -> None:
    """Every file and folder of a run and of a case has the name that 164d8ca gave it."""
    run, case = RunNames("R"), RunNames("R").case("C")
    of_run = {run.config, run.split, run.history, run.report, run.checkpoints, run.results}
    of_run |= {run.usage, run.audit, run.batch, run.cases}
    of_case = {case.image, case.label, case.displacement, case.description}
    of_case |= {case.metrics, case.page}
    assert of_run | of_case == KNOWN


def test_names_of_models_and_cases() -> None:
    """The registry's files and a case's own files, as earlier versions named them."""
    model = ModelNames("lungs")
    assert model.claim(3) == "models/lungs/3/claim"
    assert model.card("3") == "models/lungs/3/card.json"
    assert model.weights("3") == "models/lungs/3/weights.safetensors"
    assert model.alias("champion") == "models/lungs/aliases/champion.json"
    assert {name.format("C") for name in CASE_INPUTS.values()} == {
        "scansExp/C_exp.nii.gz",
        "scansInsp/C_insp.nii.gz",
        "lungMasksExp/C_exp.nii.gz",
        "lungMasksInsp/C_insp.nii.gz",
        "landmarks/C.csv",
        "displacements/C.nii.gz",
    }


def test_a_folder_may_be_the_stage_itself() -> None:
    """`register` writes a case's files without a folder; a stage takes these names too."""
    assert CaseNames("").image == "registered_img.nii.gz"
    assert check_name(CaseNames("").page) == "qc.html"
