"""The story of the product: what happens to a cohort, in order.

    simulate or download     files in one of the known layouts
        -> ingest            checked pairs and a manifest on the stage     (ingestion.py)
        -> train             LocalNet on Ray, a version in the registry    (learning.py)
        -> infer             every pair registered, a row for each         (inference.py)
        -> report            one page that says what can be trusted        (reporting.py)
    evaluate                 what was registered, here or elsewhere, measured again
                             from its files alone                      (evaluating.py)
    export                   transforms of a run for other tools           (exporting.py)
    apply                    an image or points through transforms         (applying.py)
    demo does all of it with defaults                                      (demonstration.py)

Each takes a configuration, opens the backend that it names unless it is given one, and returns a
record. Progress is told to a callback, never printed. The public names are those of `lungreg`
itself; each is imported from its own file, so that ingest needs no torch and results no Ray.
"""
