"""Every change of a person reaches the stream, once and in order."""

import asyncio
from typing import Any

import nats
from dashtrack.users.v1 import user_service_pb2 as pb
from dashtrack.users.v1.user_events_pb2 import UserChanged

from services.chassis.identity import Role
from tests.fixtures.nats import NatsServer

SUBJECT = "events.users.changed"
_PATIENCE_S = 20.0


async def test_changes_are_published_in_order(people: Any, nats_server: NatsServer) -> None:
    """Creation, a new name and deactivation arrive as three versions of one person."""
    client = await nats.connect(
        nats_server.url, user=nats_server.user, password=nats_server.password
    )
    try:
        stream = await client.jetstream().subscribe(SUBJECT, ordered_consumer=True)
        made = await asyncio.to_thread(people.add)
        for method, request in (
            ("UpdateUser", pb.UpdateUserRequest(user=pb.User(user_id=made.user_id, etag="1"))),
            (
                "UpdateUser",
                pb.UpdateUserRequest(user=pb.User(user_id=made.user_id, display_name="Rui")),
            ),
            ("DeactivateUser", pb.DeactivateUserRequest(user_id=made.user_id)),
            ("DeactivateUser", pb.DeactivateUserRequest(user_id=made.user_id)),
        ):
            await asyncio.to_thread(people.call, Role.MANAGER, method, request)
        events: list[UserChanged] = []
        while not events or events[-1].active:
            message = await stream.next_msg(timeout=_PATIENCE_S)
            event = UserChanged.FromString(message.data)
            if event.user_id == made.user_id:
                assert (message.headers or {})["Nats-Msg-Id"] == event.event_id
                events.append(event)
    finally:
        await client.close()

    assert [(event.version, event.display_name, event.active) for event in events] == [
        (1, "Ana", True),
        (2, "Rui", True),
        (3, "Rui", False),
    ]
    assert {event.company_id for event in events} == {str(people.company_id)}
