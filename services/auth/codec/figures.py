"""Numbers about logins in protobuf."""

from dashtrack.auth.internal.v1 import security_service_pb2 as pb

from services.auth.domain.figures import SecurityFigures


def encode_figures(figures: SecurityFigures) -> pb.SecurityFigures:
    """Write them."""
    return pb.SecurityFigures(
        open_sessions=figures.open_sessions,
        active_people=figures.active_people,
        accounts=figures.accounts,
        second_factor_accounts=figures.second_factor_accounts,
        invited_accounts=figures.invited_accounts,
        sessions_opened_last_day=figures.sessions_opened,
        failed_logins_last_day=figures.failed_logins,
        failed_accounts_last_day=figures.failed_accounts,
    )
