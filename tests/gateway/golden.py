"""Golden files of the gateway: `python -m tests.gateway.golden` writes the renderings afresh.

What a running gateway answers is written by its tests when GOLDEN_UPDATE is set.
"""

import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any

from gateway.environments import ENVIRONMENTS
from gateway.render import BASE, OVERLAY, render

FOLDER = Path(__file__).parents[1] / "golden" / "gateway"
READ_AT = Path("/etc/envoy")
_HEADER = "# yamllint disable-file\n# Written by `python -m tests.gateway.golden`.\n"
_DIGEST = re.compile(r"\b[0-9a-f]{16}\b")
FULL_ENVIRONMENT = "compose"
"""The one whose base.yaml is kept: it has all that a base can have."""


def renderings() -> dict[str, str]:
    """Return the renderings that are kept, by the names of their files."""
    found = {}
    for name, settings in ENVIRONMENTS.items():
        with tempfile.TemporaryDirectory() as folder:
            render(settings(), Path(folder), read_at=READ_AT)
            found[f"overlay-{name}.yaml"] = (Path(folder) / OVERLAY).read_text("utf-8")
            if name == FULL_ENVIRONMENT:
                base = (Path(folder) / BASE).read_text("utf-8")
                # The digest of the OpenAPI document changes with each comment of the contract.
                found[BASE] = _DIGEST.sub("DIGEST", base)
    return {name: _HEADER + text for name, text in found.items()}


def assert_golden(name: str, actual: Any) -> None:
    """Compare with a golden file of JSON."""
    file = FOLDER / name
    if os.environ.get("GOLDEN_UPDATE"):
        file.write_text(json.dumps(actual, indent=1, sort_keys=True) + "\n", "utf-8")
    assert actual == json.loads(file.read_text("utf-8"))


def main() -> None:
    """Write the renderings."""
    for name, text in renderings().items():
        (FOLDER / name).write_text(text, "utf-8")


if __name__ == "__main__":
    main()
