"""Where a saga can be cut off: each cut is a real one, at a place that a lock makes certain."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

from tests.fixtures.system import System
from tests.fixtures.waiting import eventually
from tests.fixtures.watched_databases import HeldTable

Act = Callable[[], str]
"""Begins a saga; returns the id of whom it is about."""


@dataclass(frozen=True)
class Standstill:
    """A place in a service's transaction where a lock of the test's holds it."""

    service: str
    table: str
    """What is locked."""
    statement: str
    """What the service then waits with."""
    evidence: str
    """Finds something about the id `$1` once the transaction has committed, and not before."""
    durable: str = ""
    """The consumer whose handler it is in; nothing if it is in a worker of the service's own."""

    def __str__(self) -> str:
        """Name it in reports."""
        return f"{self.service}-{self.table}"

    def passed(self, system: System, subject_id: str) -> bool:
        """Whether the service has got past this place."""
        return bool(system.databases.value(self.service, self.evidence, subject_id))


Cut = Callable[[System, Sequence[Standstill], Act], str]


def cut_around_publishing(system: System, origin: str, act: Act) -> str:
    """Kill the service that begins a saga before its event is out, and before that is noted."""
    system.kill("nats")
    subject_id = act()
    system.kill(origin)
    assert system.unpublished(origin), "there was nothing to be published"
    with system.databases.held(origin, "outbox") as outbox:
        system.start("nats", origin)
        outbox.wait_for("UPDATE outbox")
        assert system.events.about(subject_id), "it was noted before it was out"
        system.kill(origin)
    outbox.wait_for_rollback()
    assert system.unpublished(origin), "it was noted all the same"
    system.start(origin)
    return subject_id


@contextmanager
def standing_still(
    system: System, places: Sequence[Standstill], act: Act
) -> Iterator[tuple[str, Sequence[HeldTable]]]:
    """Begin a saga and hold it at each of the places until the block ends."""
    with ExitStack() as holding:
        tables = [
            holding.enter_context(system.databases.held(at.service, at.table)) for at in places
        ]
        subject_id = act()
        for at, table in zip(places, tables, strict=True):
            table.wait_for(at.statement)
        yield subject_id, tables


def cut_while_applying(system: System, places: Sequence[Standstill], act: Act) -> str:
    """Kill services in the middle of their transactions, of which nothing may be left."""
    with standing_still(system, places, act) as (subject_id, tables):
        for at in places:
            system.kill(at.service)
            assert not at.durable or not system.answered(at.durable), at
    for at, table in zip(places, tables, strict=True):
        table.wait_for_rollback()
        assert not at.passed(system, subject_id), f"{at}: half of a transaction was kept"
    system.start(*(at.service for at in places))
    return subject_id


def cut_before_answering(system: System, places: Sequence[Standstill], act: Act) -> str:
    """Kill services when they have committed, and could tell nobody yet."""
    with standing_still(system, places, act) as (subject_id, _):
        system.kill("nats")
    for at in places:
        eventually(partial(at.passed, system, subject_id), f"{at} to commit")
        system.kill(at.service)
    system.start("nats")
    for at in places:
        if at.durable:
            assert not system.answered(at.durable), at
        else:
            assert system.unpublished(at.service), at
    system.start(*(at.service for at in places))
    return subject_id


CUTS: tuple[Cut, ...] = (cut_while_applying, cut_before_answering)
