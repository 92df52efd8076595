"""Uploads as boards make them."""

import gzip
import time
from typing import Any

import pytest
from grpc import StatusCode

from tests.fixtures.refusals import refused
from tests.integration.telemetry.conftest import Fleet, batch_of


def test_an_acknowledged_batch_is_read_back(fleet: Fleet) -> None:
    """What was acknowledged is in the history and the newest values at once."""
    board = fleet.board()
    batch = batch_of(50.0, 51.5, 53.0)

    ack = fleet.upload(board, batch)

    assert (ack.boot_id, ack.seq, ack.part, ack.repeated) == (7, 0, 0, False)
    start_ms = batch.start_unix_ms
    assert fleet.history(board, "speed_kmh") == [
        (start_ms, 50.0),
        (start_ms + 1000, 51.5),
        (start_ms + 2000, 53.0),
    ]
    assert fleet.latest(board) == {"speed_kmh": 53.0}
