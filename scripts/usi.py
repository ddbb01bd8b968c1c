"""The engine for shogi programs that speak USI, at standard input and output."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from selfplay.gui import usi

if __name__ == "__main__":
    sys.exit(usi())
