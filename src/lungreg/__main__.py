"""`python -m lungreg`: the command line, where no folder of scripts is on the path."""

from __future__ import annotations

from lungreg.cli import main

if __name__ == "__main__":
    main()
