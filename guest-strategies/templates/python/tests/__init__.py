"""The contract's types, as `componentize-py bindings` makes them, are in `bindings/`; a component has its own."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "bindings"))
