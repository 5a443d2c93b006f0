"""The number of a request or a ticket, as it is written."""

from __future__ import annotations

import re
from typing import Final

NUMBER: Final = re.compile(r"AS-[0-9]{8}[0-9A-Z]{7}(-[0-9]{1,4})?", re.ASCII)
"""Its form; whether the check character is right is intake's to say."""
