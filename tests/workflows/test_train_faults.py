"""Training that was killed, stopped or out of space is resumed; which model is promoted."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from lungreg.errors import ConfigError, ModelError, NotFoundError, RunError, StoreUnavailableError
from lungreg.learning.checkpoints import Checkpoints
from lungreg.learning.training import TrainJob
from lungreg.stores.manifest import read_cases
from lungreg.stores.run_files import History, read_history, read_split
from lungreg.testing import FaultyStage
from lungreg.workflows.infer import infer
from lungreg.workflows.promotion import promote_if_better
from lungreg.workflows.train import train
from tests.site import CASES, Site, assert_refused, interrupt, kill, terminate, wait_until

pytestmark = pytest.mark.slow


def only_run(site: Site) -> str:
    """The training run that a subprocess has started, or "" before."""
    runs = sorted((site.folder / "stage" / "runs").glob("train-*"))
    return runs[-1].name if runs else ""


def has_epoch(site: Site) -> bool:
    """Whether an epoch is done; cheap, for what is asked again and again."""
    return any((site.folder / "stage" / "runs").glob("train-*/history.json"))


def epochs_done(site: Site) -> int:
    """Epochs of that run so far."""
    run = only_run(site)
    return len(read_history(site.backend().stage, run)) if run else 0


def test_a_killed_command_is_resumed_as_if_it_had_never_stopped(
    ingested: Site, three_epochs: History
) -> None:
    """SIGKILL to `lungreg train`, then `--resume`: identical losses, epoch by epoch."""
    command = ingested.start("train", "--set", "train.epochs=3")
    wait_until(lambda: has_epoch(ingested), command)
    kill(command)
    assert 0 < epochs_done(ingested) < 3
    done = train(ingested.config(), resume=only_run(ingested))
    assert done.history == three_epochs


def test_resuming_a_finished_run_gives_its_model_again(trained: Site) -> None:
    """However often: no epoch more, no version more."""
    run = only_run(trained)
    before = read_history(trained.backend().stage, run)
    for _ in range(2):
        done = train(trained.config(), resume=run)
        assert (done.card.version, done.run_id, done.history) == ("1", run, before)
    assert len(trained.backend().models.list()) == 1


def test_a_run_goes_on_with_its_own_settings(
    trained: Site, caplog: pytest.LogCaptureFixture
) -> None:
    """What this call asks for is refused by name; what the file says now is a warning."""
    run = only_run(trained)
    asked = trained.run("train", "--resume", run, "--set", "train.epochs=9")
    assert_refused(asked, "began with, got another train.epochs", "train.init=NAME:VERSION")
    spread = ("--set", "train.workers=1", "--set", "train.threads=2", "--set", "train.epochs=2")
    assert trained.run("train", "--resume", run, *spread).code == 0
    train(trained.config("train.epochs=9", "quality.tre_warn_mm=9"), resume=run)
    assert "goes on with its own train.epochs, which the configuration has otherwise" in caplog.text
    done = infer(trained.config(f"infer.cases=[{CASES[5]}]"))
    for asks in (("--cases", CASES[4]), ("--no-model",), ("--set", "quality.tre_warn_mm=9")):
        refused = trained.run("infer", "--resume", done.run_id, *asks)
        assert_refused(refused, "got another", "leave them out, or start a run")
    same = ("--cases", CASES[5], "--model", "lung_ct_registration", "--set", "infer.threads=2")
    assert trained.run("infer", "--resume", done.run_id, *same).code == 0


def test_a_run_killed_while_it_registered_its_model_has_one_version(trained: Site) -> None:
    """The version is there, the run's own note of it is not yet: it is found again."""
    run = only_run(trained)
    trained.backend().stage.delete(f"runs/{run}/model.json")
    assert train(trained.config(), resume=run).card.version == "1"
    assert len(trained.backend().models.list()) == 1


def test_a_run_of_another_kind_is_not_resumed(trained: Site) -> None:
    """Each command goes on with its own runs, and says which are there."""
    with pytest.raises(RunError, match="'lungreg infer' has started"):
        infer(trained.config(), resume=only_run(trained))
    with pytest.raises(RunError, match="'lungreg train' has started"):
        train(trained.config(), resume="infer-20260101-000000-abcdef")


def test_a_stage_without_cases_is_refused_before_ray_starts(
    raw: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seconds for nothing, and no run is left to resume."""
    monkeypatch.setattr("lungreg.distributed.trainer.cluster_for", pytest.fail)
    with pytest.raises(NotFoundError, match="stage holds at least one case"):
        train(raw.config("train.workers=1"))
    assert only_run(raw) == ""


def test_fine_tuning_begins_with_the_weights_of_a_version(trained: Site) -> None:
    """The first epoch at a vanishing rate has the validation metrics of the model given."""
    first = train(trained.config("train.epochs=1"))
    still = trained.config(
        "train.init=lung_ct_registration:2", "train.epochs=1", "train.learning_rate=1e-12"
    )
    second = train(still)
    expected = {k: v for k, v in first.card.metrics.items() if k.startswith("val_")}
    assert {k: second.history[0][k] for k in expected} == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("init", "error", "says"),
    [
        ("lung_ct_registration", ConfigError, "NAME:VERSION"),
        ("lung_ct_registration:7", NotFoundError, "there is 1, champion, latest"),
        ("other:1", NotFoundError, "there is lung_ct_registration"),
    ],
)
def test_a_model_to_start_from_must_be_there(
    trained: Site, init: str, error: type[Exception], says: str
) -> None:
    """What there is instead is said."""
    with pytest.raises(error, match=says):
        train(trained.config(f"train.init={init}"))


def test_a_model_to_start_from_must_have_the_same_network(trained: Site) -> None:
    """The network to set is in the message."""
    with pytest.raises(ModelError, match=r'set network to .*"num_channel_initial":4'):
        train(trained.config("train.init=lung_ct_registration:1", "network.num_channel_initial=2"))


def test_a_better_model_becomes_champion_and_a_worse_one_does_not(trained: Site) -> None:
    """`promote: if_better` compares on the validation cases of the new run."""
    better = train(trained.config("train.epochs=12", "train.promote=if_better"))
    assert better.champion
    assert better.champion_version == "2"
    assert better.why.startswith("the new version is better: landmark error ")
    assert "on the validation cases, version 1 landmark error " in better.why
    # A network that learns nothing is as good as its alignment: from the headers alone, poor.
    still = ("train.epochs=1", "train.learning_rate=1e-9", "preprocessing.alignment=world")
    worse = train(trained.config(*still, "train.promote=if_better"))
    assert not worse.champion
    assert (worse.champion_version, worse.why[:33]) == ("2", "the new version is not better: la")
    assert trained.backend().models.resolve("lung_ct_registration", "champion").version == "2"


def test_versions_are_compared_where_the_workers_gpu_is_not(trained: Site) -> None:
    """On a cluster the command may run on a node without one: the training is not lost for it."""
    done = train(trained.config("train.epochs=1"))
    asked = ("train.workers=1", "train.device=cuda", "train.promote=if_better")
    backend, known = (
        trained.backend(),
        {it.case_id: it for it in read_cases(trained.backend().stage)},
    )
    job = TrainJob(
        run_id=done.run_id,
        config=trained.config(*asked),
        stage=backend.stage,
        tracker=backend.tracker,
        cases={
            name: [known[case_id] for case_id in ids]
            for name, ids in read_split(backend.stage, done.run_id).items()
        },
    )
    why = promote_if_better(job, backend, done.card, done.history[-1])
    assert why.startswith("the new version is ")


def test_a_later_model_waits_for_a_person_by_default(trained: Site) -> None:
    """`promote: manual`: the first version stays champion."""
    assert not train(trained.config("train.epochs=1")).champion


def test_training_on_a_full_stage_says_so_and_can_be_resumed(
    ingested: Site, three_epochs: History
) -> None:
    """The checkpoint of the second epoch finds no room; afterwards the run is whole."""
    backend = ingested.backend()
    full = FaultyStage(backend.stage, full_on={2}, only="/epoch_")
    config = ingested.config("train.epochs=3")
    with pytest.raises(StoreUnavailableError, match="free disk space"):
        train(config, backend=dataclasses.replace(backend, stage=full))
    done = train(config, resume=only_run(ingested))
    assert done.history == three_epochs


def test_training_leaves_nothing_behind_outside_the_stage(
    ingested: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prepared cases are kept in a private folder for the run alone."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    train(ingested.config())
    train(ingested.config("train.promote=if_better"))
    assert list(scratch.glob("lungreg-*")) == []


@pytest.mark.parametrize("stop", [interrupt, terminate])
def test_a_signal_stops_training_on_ray_within_seconds_and_says_how_to_go_on(
    ingested: Site, stop: Callable[..., tuple[float, str, str]]
) -> None:
    """Ctrl-C, or SIGTERM of a scheduler: exit code 1, a checkpoint to go on from.

    No process, no scan in a temporary folder is left.
    """
    scratch = ingested.folder / "scratch"
    scratch.mkdir()
    command = ingested.start(
        *("train", "--set", "train.epochs=1000", "--set", "train.workers=1"),
        TMPDIR=str(scratch),
        RAY_TMPDIR=tempfile.gettempdir(),  # names of sockets must be short
    )
    wait_until(lambda: has_epoch(ingested), command)
    started = psutil.Process(command.pid).children(recursive=True)
    seconds, _, err = stop(command)
    assert psutil.wait_procs(started, timeout=30)[1] == []
    run = only_run(ingested)
    assert command.returncode == 1
    assert err.strip().splitlines()[-1] == (
        "lungreg: the run was stopped; what is done is kept; "
        f"go on with 'lungreg train --resume {run} --set train.epochs=1000 --set train.workers=1'"
    )
    assert "Traceback" not in err
    assert seconds < 20
    assert ingested.backend().stage.list("models") == []
    assert list(scratch.glob("lungreg-*")) == []
    assert Checkpoints(stage=ingested.backend().stage, run_id=run, save_every=1).load() is not None
