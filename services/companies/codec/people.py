"""What other services say of people, from protobuf."""

import uuid

from dashtrack.users.internal.v1 import people_service_pb2 as people_pb
from dashtrack.users.v1 import user_events_pb2

from services.chassis.fields import ROLES
from services.chassis.identity import Role
from services.companies.domain.dashboards import PeopleFigures
from services.companies.domain.people import Person, PersonChange


def decode_person_change(payload: bytes) -> PersonChange | None:
    """Read what users says of a person after a change: None if they are of no company."""
    event = user_events_pb2.UserChanged.FromString(payload)
    if not event.company_id:
        return None
    person = Person(
        user_id=uuid.UUID(event.user_id),
        company_id=uuid.UUID(event.company_id),
        role=ROLES[event.role],
        active=event.active and not event.purged,
        version=event.version,
    )
    return PersonChange(uuid.UUID(event.event_id), person, event.purged)


def decode_standing(company_id: uuid.UUID, standing: people_pb.PersonStanding) -> Person:
    """Read how a person stands."""
    return Person(
        user_id=uuid.UUID(standing.user_id),
        company_id=company_id,
        role=ROLES[standing.role],
        active=standing.active,
        version=standing.version,
    )


def decode_people_counts(answer: people_pb.CountPeopleResponse) -> PeopleFigures:
    """Read how many people a company has."""
    active: dict[Role, int] = {}
    deactivated: dict[Role, int] = {}
    for count in answer.counts:
        (active if count.active else deactivated)[ROLES[count.role]] = count.people
    return PeopleFigures(active, deactivated)
