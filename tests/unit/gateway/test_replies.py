"""What Envoy answers by itself is part of the contract."""

from dashtrack.errors.v1 import error_reason_pb2

from gateway import replies


def test_every_reason_is_in_the_catalogue() -> None:
    """A client may branch on the gateway's reasons as on a service's."""
    known = {
        name.removeprefix("ERROR_REASON_")
        for name in error_reason_pb2.ErrorReason.keys()  # noqa: SIM118
    }

    assert replies.reasons() <= known


def test_general_replies_stand_behind_particular_ones() -> None:
    """The first that fits is taken, so one without a detail ends the search for its statuses."""
    ended: set[int] = set()
    for reply in replies.REPLIES:
        assert not ended & set(reply.statuses)
        if not reply.detail:
            ended |= set(reply.statuses)
