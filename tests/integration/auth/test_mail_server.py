"""Mail through a real mail server, from the running service."""

import grpc
from dashtrack.auth.v1 import auth_service_pb2 as pb
from dashtrack.auth.v1.auth_service_pb2_grpc import AuthServiceStub

from services.auth.domain.mails import RESET_CODE_HEADER
from tests.fixtures.auth_service import MakeSite
from tests.fixtures.people_and_companies import FIRST_MASTER_EMAIL
from tests.fixtures.smtp_server import running_smtp_server
from tests.fixtures.waiting import eventually

NEW_PASSWORD = "quite another password"


def test_a_code_arrives_through_the_mail_server(make_auth_site: MakeSite) -> None:
    """Where there is one, nothing is put into a folder."""
    site = make_auth_site()
    with (
        running_smtp_server(site.mailbox_dir.parent / "smtp") as mail_server,
        site.serve(
            smtp_host="localhost",
            smtp_port=mail_server.port,
            smtp_security="none",
            mail_sender="Frota <frota@example.com>",
        ) as service,
        grpc.insecure_channel(service.target) as channel,
    ):
        stub = AuthServiceStub(channel)  # type: ignore[arg-type] # typed for aio channels
        stub.RequestPasswordReset(pb.RequestPasswordResetRequest(email=FIRST_MASTER_EMAIL))
        (message,) = eventually(mail_server.delivered, "the code")

        stub.ResetPassword(
            pb.ResetPasswordRequest(
                email=FIRST_MASTER_EMAIL,
                reset_code=message[RESET_CODE_HEADER],
                new_password=NEW_PASSWORD,
            )
        )
        stub.Login(pb.LoginRequest(email=FIRST_MASTER_EMAIL, password=NEW_PASSWORD))

    assert (message["From"], message["To"]) == ("Frota <frota@example.com>", FIRST_MASTER_EMAIL)
    assert message.get_content_type() == "multipart/alternative"
    assert site.mails_for(FIRST_MASTER_EMAIL) == []
