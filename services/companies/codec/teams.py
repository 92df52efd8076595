"""Teams and memberships between protobuf and the domain."""

import uuid

from dashtrack.companies.v1 import team_service_pb2 as pb

from services.chassis.errors import UpdateMaskInvalid, invalid_field
from services.chassis.fields import decode_optional_id, encode_time
from services.chassis.page_tokens import encode_next_page
from services.companies.domain.teams import (
    Membership,
    MembershipQuery,
    NewTeam,
    Team,
    TeamEdit,
    TeamRole,
)
from services.companies.usecases.pages import Page

_ROLE_NUMBERS = {role: pb.TeamMembership.Role.Value(f"ROLE_{role.name}") for role in TeamRole}
_ROLES = {number: role for role, number in _ROLE_NUMBERS.items()}
_CHANGEABLE = frozenset({"display_name"})


def decode_new_team(request: pb.CreateTeamRequest) -> NewTeam:
    """Read what a creation asks for."""
    return NewTeam(
        company_id=decode_optional_id(request.team.company_id),
        display_name=request.team.display_name,
        request_id=decode_optional_id(request.request_id),
    )


def decode_team_edit(request: pb.UpdateTeamRequest) -> tuple[uuid.UUID, TeamEdit]:
    """Read which team an update is for and what it changes.

    Raises:
        UpdateMaskInvalid: the mask names what does not exist or cannot be changed.
        InvalidArgument: the id is missing.
    """
    team = request.team
    if not team.team_id:
        raise invalid_field("team.team_id", "The id is required.")
    mask = set(request.update_mask.paths)
    if unknown := sorted(mask - _CHANGEABLE):
        raise UpdateMaskInvalid(unknown[0])
    name = team.display_name if mask or team.display_name else None
    return uuid.UUID(team.team_id), TeamEdit(display_name=name, etag=team.etag)


def decode_team_role(number: pb.TeamMembership.Role.ValueType) -> TeamRole | None:
    """Read what somebody is to be in a team: None if it isn't said."""
    return _ROLES.get(number)


def decode_membership_query(request: pb.ListTeamMembershipsRequest) -> MembershipQuery:
    """Read what is asked of the history."""
    return MembershipQuery(
        company_id=decode_optional_id(request.company_id),
        team_id=decode_optional_id(request.team_id),
        user_id=decode_optional_id(request.user_id),
        current_only=request.current_only,
    )


def encode_team_page(page: Page[Team], request: pb.ListTeamsRequest) -> pb.ListTeamsResponse:
    """Write a page, and the token that gets the next one."""
    return pb.ListTeamsResponse(
        teams=map(encode_team, page.items),
        next_page_token=encode_next_page(page.next_after, request),
    )


def encode_membership_page(
    page: Page[Membership], request: pb.ListTeamMembershipsRequest
) -> pb.ListTeamMembershipsResponse:
    """Write a page, and the token that gets the next one."""
    return pb.ListTeamMembershipsResponse(
        memberships=map(encode_membership, page.items),
        next_page_token=encode_next_page(page.next_after, request),
    )


def encode_team(team: Team) -> pb.Team:
    """Write a team as callers see it."""
    return pb.Team(
        team_id=str(team.team_id),
        company_id=str(team.company_id),
        display_name=team.display_name,
        create_time=encode_time(team.create_time),
        update_time=encode_time(team.update_time),
        etag=team.etag,
    )


def encode_membership(membership: Membership) -> pb.TeamMembership:
    """Write a membership as callers see it."""
    return pb.TeamMembership(
        membership_id=str(membership.membership_id),
        company_id=str(membership.company_id),
        team_id=str(membership.team_id),
        team_name=membership.team_name,
        user_id=str(membership.user_id or ""),
        role=_ROLE_NUMBERS[membership.role],
        start_time=encode_time(membership.start_time),
        end_time=encode_time(membership.end_time) if membership.end_time else None,
    )
