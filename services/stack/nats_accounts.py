"""What each service may say and hear on NATS."""

from services.stack.nats import NatsAccount


def nats_account(service: str, password: str) -> NatsAccount:
    """Return the login of a service.

    Each speaks for itself alone: an event of users' is users'. Hearing is free within the
    project, and so is JetStream's own interface, which consumers are made through.
    """
    return NatsAccount(
        user=service,
        password=password,
        publish=[f"events.{service}.>", "dashtrack.>", "tel.>", "$JS.API.>", "$JS.ACK.>"],
        subscribe=["events.>", "dashtrack.>", "tel.>", "_INBOX.>"],
    )
