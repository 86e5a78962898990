"""`python -m bench [--only NAME] [--json FILE]`: runs the bench, and prints a line for each figure."""

from __future__ import annotations

import sys
from importlib.util import find_spec

if __name__ == "__main__":
    if find_spec("psutil") is None:
        sys.exit("bench needs the development packages. Run: make bench")
    from bench.measure import main

    main()
