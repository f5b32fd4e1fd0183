"""The steps of a case, the reference recipe's beside lungreg's, and a case as a whole."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lungreg.config import Config, Network, load_config
from lungreg.formats.transforms import encode_displacement
from lungreg.formats.volumes import encode_labels, encode_volume
from lungreg.learning.network import build_network, predict
from lungreg.learning.prediction import network_estimate
from lungreg.learning.preprocessing import prepare_pair
from lungreg.qc.case_page import render_case
from lungreg.registration.alignment import align
from lungreg.registration.case import register_case
from lungreg.registration.evaluation import measure
from lungreg.registration.images import Carried, carry_moving, pair_images
from lungreg.registration.judgement import judge_pair
from lungreg.registration.outputs import remarks_of
from lungreg.registration.pair import Estimated, Pair, read_pair
from lungreg.registration.register import register_pair
from lungreg.spatial.displacement import CPU, warp
from lungreg.spatial.geometry import FloatArray, Transform
from tests.benchmarks import recipe
from tests.benchmarks.given_case import Given
from tests.benchmarks.one_case import job_of
from tests.benchmarks.one_step import Step, Work

PUBLISHED_LEVELS, OUR_LEVELS = (3,), Network().extract_levels


def published() -> Config:
    """The settings with which lungreg does what the recipe does."""
    return load_config(Path(__file__).parents[2] / "configs" / "published-demo.yaml")


def case_steps(given: Given) -> Iterator[Step]:
    """All, in the order of the work."""
    yield Step(
        name="read scans and masks",
        recipe=lambda: recipe.read(given.files),
        lungreg=lambda: read_pair(given.stage, given.case),
        differs="recipe: masks as float32; lungreg: landmarks too",
    )
    yield _input(given, "scans alone", masks=False)
    yield _input(given, "with masks", masks=True)
    yield _forward(given, PUBLISHED_LEVELS, published().network, "")
    differs = "recipe: LocalNet with these levels; lungreg: instance norm, trilinear enlargement"
    yield _forward(given, OUR_LEVELS, Network(), differs)
    yield _warp_on_network_grid(given)
    yield _warp_on_scan_grid(given)
    yield _write(given)
    yield _whole(given)
    yield from _without_counterpart(given)


def _input(given: Given, name: str, *, masks: bool) -> Step:
    preprocessing = given.config.preprocessing
    return Step(
        name=f"network input, {name}",
        recipe=lambda: recipe.network_input(given.read, given.size, masks=masks),
        lungreg=lambda: prepare_pair(
            given.pair, given.affine, preprocessing, images_alone=not masks
        ),
        differs="lungreg: the moving scan through its alignment",
    )


def _forward(given: Given, levels: tuple[int, ...], ours: Network, differs: str) -> Step:
    theirs, own = recipe.network(levels).eval(), build_network(ours).eval()
    fixed, moving = given.prepared.fixed[None], given.prepared.moving[None]

    def forward() -> Tensor:
        with torch.no_grad():
            return recipe.forward(theirs, {"fixed": fixed, "moving": moving})

    def forward_lean() -> Tensor:
        with torch.inference_mode():
            return predict(own, fixed, moving)

    name = f"forward pass, levels {list(levels)}"
    return Step(name=name, recipe=forward, lungreg=forward_lean, differs=differs)


def _warp_on_network_grid(given: Given) -> Step:
    made = recipe.plain(recipe.network_input(given.read, given.size, masks=True))
    scan, mask, field = made["moving"], made["moving_mask"], given.displacement_vox
    layer = recipe.warp_layer()
    return Step(
        name="warp scan and mask, network's grid",
        recipe=lambda: (layer(scan, field), layer(mask, field)),
        lungreg=lambda: (warp(scan, field), warp(mask, field)),
    )


def _warp_on_scan_grid(given: Given) -> Step:
    layers = [recipe.warp_layer(mode) for mode in ("bilinear", "nearest")]
    return Step(
        name="warp scan and mask, scan's own grid",
        recipe=lambda: recipe.warp_on(given.read, given.displacement_vox, layers),
        lungreg=lambda: carry_moving(given.pair, given.on_index_boxes, CPU),
        differs="the recipe ends before; its field enlarged, its layers. lungreg: air outside",
    )


def _write(given: Given) -> Step:
    carried, grid = carry_moving(given.pair, given.on_index_boxes, CPU), given.pair.fixed.grid
    values, label, stored = carried.scan.values, carried.label, given.pair.moving.stored
    if label is None:
        msg = "the simulated case has masks"
        raise ValueError(msg)
    volumes = {"image": recipe.on_grid(values, grid.affine)}
    volumes["label"] = recipe.on_grid(label, grid.affine)
    types = {"image": np.dtype(stored.dtype), "label": label.dtype}

    def write() -> None:
        given.stage.write("image.nii.gz", encode_volume(values, grid, stored))
        given.stage.write("label.nii.gz", encode_labels(label, grid))

    return Step(
        name="write scan and mask, scan's own grid",
        recipe=lambda: recipe.write(volumes, types, given.folder / "written"),
        lungreg=write,
        differs="in the scan's own type; lungreg rounds, and waits for the disk",
    )


def _whole(given: Given) -> Step:
    """From files to files as each does it by default."""
    return Step(
        name="a whole case, each as it is",
        recipe=recipe.whole_case(given.files, given.size, given.folder / "registered"),
        lungreg=_register(given),
        differs="recipe: levels [3], ends on the network's grid; lungreg: levels "
        f"{list(OUR_LEVELS)}, the scan's own grid, and the lines from here to the page",
    )


def _register(given: Given) -> Work:
    """A case with the default network, whose answer is put aside for the true transform.

    A network that nobody trained would leave tissue apart, and lungreg would search for the reason.
    """
    network = build_network(Network()).eval()
    answer = network_estimate(network, given.config.preprocessing, CPU)
    known = given.transform(given.affine)

    def estimate(pair: Pair, affine: FloatArray) -> Estimated:
        answer(pair, affine)
        return Estimated(transform=known)

    job = job_of(given.config)
    return lambda: register_case(
        given.stage, given.case, estimate, job, device=CPU, render=render_case
    )


def _without_counterpart(given: Given) -> Iterator[Step]:
    """What lungreg does beside the recipe's steps."""
    pair, preprocessing = given.pair, given.config.preprocessing
    window, known = preprocessing.hu_window, given.transform(given.affine)
    carried: Carried = carry_moving(pair, known, CPU)
    images = pair_images(pair, known, carried, hu_window=window, device=CPU)
    # A copy of the pair has not found its lungs yet.
    yield Step(
        name="lungs and alignment",
        lungreg=lambda: align(dataclasses.replace(pair), window, preprocessing.alignment),
    )
    yield Step(
        name="images before and after, masks, Jacobian",
        lungreg=lambda: pair_images(pair, known, carried, hu_window=window, device=CPU),
    )
    yield Step(
        name="metrics, estimated error, verdict",
        lungreg=lambda: judge_pair(
            pair, measure(pair, known, images), given.config.quality, hu_window=window
        ),
    )
    yield Step(
        name="write the displacement",
        lungreg=lambda: given.stage.write(
            "displacement.nii.gz", encode_displacement(known.displacement_mm, known.grid)
        ),
    )
    yield _page(given, known)


def _page(given: Given, known: Transform) -> Step:
    """The page of the case, registered by a transform that is known."""

    def estimate(_pair: Pair, _affine: FloatArray) -> Estimated:
        return Estimated(transform=known)

    config, job = given.config, job_of(given.config)
    result = register_case(given.stage, given.case, estimate, job, device=CPU, render=None)
    registered = register_pair(
        given.pair,
        estimate,
        hu_window=config.preprocessing.hu_window,
        alignment=config.preprocessing.alignment,
        thresholds=config.quality,
        device=CPU,
    )
    images, remarks, measured = registered.images, remarks_of(registered), registered.measured
    return Step(
        name="page",
        lungreg=lambda: render_case(
            result, images, provenance={}, remarks=remarks, places=measured.places
        ),
    )
