"""The commented configuration that `lungreg init` writes."""

from __future__ import annotations

from pathlib import Path

from lungreg.config.input import Ingest
from lungreg.config.yaml_writing import to_yaml
from lungreg.errors import ConfigError

_TEMPLATE = """\
# A run of lungreg. Everything left out keeps its default: see 'lungreg config show' for all keys
# and 'lungreg config schema' for what they mean. Paths are relative to this file.

backend:
  kind: local
  root: ./lungreg-data          # a folder, or an fsspec URL such as s3://bucket/lungreg
  # Snowflake instead, without root: see configs/snowflake.yaml and 'lungreg setup'.

INGEST  # groups: ./patients.csv      # case_id,group: a patient is never split

data:
  split: {train: 0.8, val: 0.2, test: 0.0}

train:
  workers: auto                 # 0 without Ray; auto is one per GPU
  epochs: 25
  batch_size: 2

infer:
  workers: auto
  model: null                   # each pair by itself; or lung_ct_registration, once it is trained
  # version: champion           # of the model: a number, an alias, or latest

# quality:                      # thresholds of the verdicts
#   dice_warn: 0.93
#   tre_warn_mm: 2.0
# cost: {credits_per_node_hour: 2.68, nodes: 1, as_of: 2026-11-22, source: your contract}
"""
_INGEST = """\
ingest:
  source: ./training            # folder, .zip, .tar.gz, URL, zenodo-lung-ct, or simulate
  layout: zenodo                # zenodo, learn2reg or pattern
  # pattern:                    # for layout: pattern
  #   fixed: "{case_id}/expiration.nii.gz"
  #   moving: "{case_id}/inspiration.nii.gz"
  #   fixed_mask: "{case_id}/expiration_lungs.nii.gz"
  #   moving_mask: "{case_id}/inspiration_lungs.nii.gz"
"""


def write_template(file: Path, ingest: Ingest | None = None) -> None:
    """Write the commented configuration to a new file.

    Args:
        file: A name that is free.
        ingest: Source, layout and pattern to put in; None for examples.

    Raises:
        ConfigError: The file exists, or its folder cannot be written.
    """
    try:
        with file.open("x", encoding="utf-8") as stream:
            stream.write(
                _TEMPLATE.replace("INGEST", _INGEST if ingest is None else _section(ingest))
            )
    except OSError as error:
        msg = "a configuration is written to a new file in a folder that exists"
        mend = "name another with -o"
        raise ConfigError(msg, got=error.strerror, mend=mend, where=file) from error


def _section(ingest: Ingest) -> str:
    """The section as YAML: what is set in it alone."""
    given = ingest.model_dump(include={"source", "layout", "pattern"}, exclude_none=True)
    return to_yaml({"ingest": given})
