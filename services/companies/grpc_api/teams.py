"""The gRPC service of teams and their members."""

from typing import Any

from dashtrack.companies.v1 import team_service_pb2 as pb
from dashtrack.companies.v1.team_service_pb2_grpc import TeamServiceServicer

from services.chassis.fields import decode_id, decode_optional_id
from services.chassis.identity import current_caller
from services.chassis.page_tokens import PAGE_SIZE_DEFAULT, decode_page_start
from services.companies.codec import teams as codec
from services.companies.domain.teams import TeamRole
from services.companies.usecases.memberships import MembershipUseCases
from services.companies.usecases.teams import TeamUseCases

SERVICE_NAME = pb.DESCRIPTOR.services_by_name["TeamService"].full_name


class TeamServicer(TeamServiceServicer):
    """Serves teams."""

    def __init__(self, teams: TeamUseCases, memberships: MembershipUseCases) -> None:
        self._teams = teams
        self._memberships = memberships

    async def CreateTeam(self, request: pb.CreateTeamRequest, context: Any) -> pb.Team:
        new = codec.decode_new_team(request)
        return codec.encode_team(await self._teams.create_team(current_caller(), new))

    async def GetTeam(self, request: pb.GetTeamRequest, context: Any) -> pb.Team:
        team_id = decode_id(request.team_id)
        return codec.encode_team(await self._teams.get_team(current_caller(), team_id))

    async def ListTeams(self, request: pb.ListTeamsRequest, context: Any) -> pb.ListTeamsResponse:
        page = await self._teams.list_teams(
            current_caller(),
            company_id=decode_optional_id(request.company_id),
            after=decode_page_start(request),
            limit=request.page_size or PAGE_SIZE_DEFAULT,
        )
        return codec.encode_team_page(page, request)

    async def UpdateTeam(self, request: pb.UpdateTeamRequest, context: Any) -> pb.Team:
        team_id, edit = codec.decode_team_edit(request)
        return codec.encode_team(await self._teams.update_team(current_caller(), team_id, edit))

    async def DeleteTeam(
        self, request: pb.DeleteTeamRequest, context: Any
    ) -> pb.DeleteTeamResponse:
        team_id = decode_id(request.team_id)
        await self._teams.delete_team(current_caller(), team_id, request.etag)
        return pb.DeleteTeamResponse()

    async def AddTeamMember(
        self, request: pb.AddTeamMemberRequest, context: Any
    ) -> pb.TeamMembership:
        team_id, user_id = map(decode_id, (request.team_id, request.user_id))
        role = codec.decode_team_role(request.role) or TeamRole.MEMBER
        membership = await self._memberships.add_member(current_caller(), team_id, user_id, role)
        return codec.encode_membership(membership)

    async def RemoveTeamMember(
        self, request: pb.RemoveTeamMemberRequest, context: Any
    ) -> pb.TeamMembership:
        team_id, user_id = map(decode_id, (request.team_id, request.user_id))
        membership = await self._memberships.remove_member(current_caller(), team_id, user_id)
        return codec.encode_membership(membership)

    async def TransferTeamMember(
        self, request: pb.TransferTeamMemberRequest, context: Any
    ) -> pb.TeamMembership:
        membership = await self._memberships.transfer_member(
            current_caller(),
            decode_id(request.user_id),
            from_id=decode_id(request.team_id),
            to_id=decode_id(request.to_team_id),
            role=codec.decode_team_role(request.role),
        )
        return codec.encode_membership(membership)

    async def ListTeamMemberships(
        self, request: pb.ListTeamMembershipsRequest, context: Any
    ) -> pb.ListTeamMembershipsResponse:
        page = await self._memberships.list_memberships(
            current_caller(),
            codec.decode_membership_query(request),
            before=decode_page_start(request),
            limit=request.page_size or PAGE_SIZE_DEFAULT,
        )
        return codec.encode_membership_page(page, request)
