"""One file per verb, named like it: each reads from top to bottom as the data flow.

    simulate     breathing pairs with known truth, as files
    ingest       files of a known layout -> checked pairs and a manifest on the stage
    train        cases on the stage -> LocalNet trained on Ray -> a version in the model registry
    infer        cases on the stage, a model -> every pair registered, files and a row for each
    report       rows and pages of a run -> one page that says what can be trusted
    demo         all of these with defaults

    register     one pair of files -> registered without model or configuration
    evaluate     files of a registration, ours or another tool's -> metrics and verdict
    export       transforms of a run -> files for ITK, ANTs, Learn2Reg
    apply        an image, mask or points through transforms
    show         a figure of one registered case in a notebook
    results      rows of all runs by SQL
    cost         time and estimated credits of a run
    models       a model version as one file, to another site and back
    doctor       checks of this machine and the stage
    jobs, setup  compute and objects of a backend that lives in an account

Each takes a configuration, opens the backend that it names unless it is given one, and returns a
record. Progress goes to a callback, never to the screen. The public names are those of `lungreg`;
each is imported from its own file, so that ingest needs no torch and results no Ray.
`progress.py` and `output_folder.py` are shared by several verbs.
"""
