#!python
"""The ``groat`` command of an editable install."""

import sys
from pathlib import Path

import groat

# A foreign distribution called "nodes" or "graph" would be found first otherwise.
sys.path.insert(0, str(Path(groat.__file__).resolve().parent.parent))

from serve.cli import main  # the path must be right before

if __name__ == "__main__":
    main()
