"""What this recipe takes as it is from the digit reader's beside it.

Invariant: the digit reader's folder stands last on the path, and no module here has a name of one there.
"""

from __future__ import annotations

import sys
from pathlib import Path

DIGITS = Path(__file__).resolve().parent.parent / "digits"
MODULES = ("data", "durable", "errors", "fitting", "golden")
if str(DIGITS) not in sys.path:
    sys.path.append(str(DIGITS))

from data import Split, digest_of, golden_indices  # noqa: E402
from durable import write_durably  # noqa: E402
from errors import RecipeError  # noqa: E402
from fitting import say  # noqa: E402
from golden import encode  # noqa: E402

__all__ = ["DIGITS", "MODULES", "RecipeError", "Split", "digest_of", "encode", "golden_indices", "say", "write_durably"]
