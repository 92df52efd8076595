"""Reads claim codes as the REST API hands them out."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from devices.simulator.identity import Identity


class ClaimsInvalid(ValueError):
    """A file does not hold answers of the registration."""


def read_claims(path: Path) -> list[Identity]:
    """Return the boards in a file of answers of `POST /v1/devices`, one after another.

    Raises:
        ClaimsInvalid: Something in the file is not such an answer. What it says is not repeated:
            claim codes are secrets.

    """
    try:
        identities = [
            Identity(hardware_id=answer["device"]["hardwareId"], claim_code=answer["claimCode"])
            for answer in _documents(path.read_text())
        ]
    except (ValueError, KeyError, TypeError) as err:
        raise ClaimsInvalid(f"{path}: not answers of POST /v1/devices") from err
    if not identities:
        raise ClaimsInvalid(f"{path}: empty")
    return identities


def _documents(text: str) -> Iterator[Any]:
    """Yield the JSON documents in a text, however they are laid out."""
    decoder = json.JSONDecoder()
    rest = text.lstrip()
    while rest:
        document, end = decoder.raw_decode(rest)
        yield document
        rest = rest[end:].lstrip()
