"""Promotion: whether a newly trained version becomes the champion of its name, and why."""

from __future__ import annotations

from collections.abc import Mapping

from lungreg.config import parse_config
from lungreg.devices import choose_device
from lungreg.distributed.capacity import in_one_process
from lungreg.learning.best_epoch import error_words
from lungreg.learning.epoch import error_of, validate
from lungreg.learning.network import build_network, load_weights
from lungreg.learning.prepared_cases import PreparedCases
from lungreg.learning.training import TrainJob, validation_error
from lungreg.learning.workers import OneWorker
from lungreg.records import ModelCard, Split
from lungreg.stores import CHAMPION, Backend


def promote_if_better(
    job: TrainJob, backend: Backend, card: ModelCard, metrics: Mapping[str, float]
) -> str:
    """Promote a new version where the run asks for that and it is better than the champion.

    Args:
        job: The run.
        backend: Whose registry holds the version.
        card: Of the new version.
        metrics: Of its best epoch.

    Returns:
        Why the champion is the one that it is now.
    """
    champion = backend.models.resolve(card.name, CHAMPION)
    if champion.version == card.version:
        return "the first version of a name is its champion"
    if job.config.train.promote == "manual":
        how = f"'lungreg models promote {card.name} {card.version}'"
        return f"train.promote is manual; {how} makes the new version champion"
    if not job.cases[Split.VAL]:
        return "without validation cases the versions cannot be compared"
    theirs = _on_these_cases(job, backend, champion)
    is_better = validation_error(metrics) < error_of(theirs)
    if is_better:
        backend.models.promote(card.name, card.version)
    before = error_words({f"val_{name}": value for name, value in theirs.items()})
    compared = f"{error_words(metrics)}, version {champion.version} {before.partition(' on ')[0]}"
    return f"the new version is {'better' if is_better else 'not better'}: {compared}"


def _on_these_cases(job: TrainJob, backend: Backend, champion: ModelCard) -> dict[str, float]:
    """Metrics of the champion on this run's validation cases."""
    config = parse_config({**champion.config, "backend": job.config.backend.model_dump()})
    settings = job.config.train
    # The workers had the device asked for; this process may be on a node without it.
    here = in_one_process(settings.workers) or settings.device == "cpu"
    device = choose_device(settings.device if here else "auto")
    network = build_network(config.network)
    load_weights(network, backend.models.weights(champion)).to(device)
    prepared = PreparedCases(
        stage=job.stage,
        settings=config.preprocessing,
        cache_gb=0.0,
        name=f"{job.run_id}-champion",
        max_voxels=job.config.ingest.max_voxels,
        with_displacement=config.loss.displacement > 0,
    )
    try:
        return validate(
            network,
            job.cases[Split.VAL],
            prepared.load,
            config,
            device=device,
            workers=OneWorker(),
        )
    finally:
        prepared.remove()
