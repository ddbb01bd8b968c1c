"""The engine for chess programs that speak UCI, at standard input and output."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from selfplay.gui import uci

if __name__ == "__main__":
    sys.exit(uci())
