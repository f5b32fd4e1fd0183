"""Quality control: pictures of registered cases, HTML pages of cases and runs.

`case_page` makes the page of one registered case while its arrays are in memory, `cohort_page`
the page of a run from its results and the panels cut out of case pages, `figure` a matplotlib
figure of one case for a notebook, `curves` one of a training run. Nothing here reads or writes
files, and nothing needs torch.
"""
