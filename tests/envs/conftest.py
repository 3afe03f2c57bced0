"""The workshop is not installed: its tests run from the checkout, whose root they put on the path."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
