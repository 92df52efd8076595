"""UserService and PeopleService: decode a call, run its use case, encode the outcome."""

from typing import Any

from dashtrack.users.internal.v1 import address_service_pb2
from dashtrack.users.internal.v1 import people_service_pb2 as people_pb
from dashtrack.users.internal.v1.address_service_pb2_grpc import AddressServiceServicer
from dashtrack.users.internal.v1.people_service_pb2_grpc import PeopleServiceServicer
from dashtrack.users.v1 import user_service_pb2 as pb
from dashtrack.users.v1.user_service_pb2_grpc import UserServiceServicer

from services.chassis.fields import decode_id
from services.chassis.identity import current_caller
from services.chassis.page_tokens import PAGE_SIZE_DEFAULT
from services.users import codec
from services.users.usecases.addresses import ChangeEmail
from services.users.usecases.people import UserUseCases
from services.users.usecases.standing import StandingUseCases

ADDRESS_SERVICE = address_service_pb2.DESCRIPTOR.services_by_name["AddressService"].full_name
SERVICE_NAME = pb.DESCRIPTOR.services_by_name["UserService"].full_name
PEOPLE_SERVICE_NAME = people_pb.DESCRIPTOR.services_by_name["PeopleService"].full_name


class UserServicer(UserServiceServicer):
    """Serves people."""

    def __init__(self, usecases: UserUseCases) -> None:
        self._usecases = usecases

    async def CreateUser(self, request: pb.CreateUserRequest, context: Any) -> pb.User:
        new = codec.decode_new_user(request)
        return codec.encode_user(await self._usecases.create_user(current_caller(), new))

    async def GetUser(self, request: pb.GetUserRequest, context: Any) -> pb.User:
        user_id = decode_id(request.user_id)
        return codec.encode_user(await self._usecases.get_user(current_caller(), user_id))

    async def GetCurrentUser(self, request: pb.GetCurrentUserRequest, context: Any) -> pb.User:
        return codec.encode_user(await self._usecases.get_current_user(current_caller()))

    async def UpdateCurrentUser(
        self, request: pb.UpdateCurrentUserRequest, context: Any
    ) -> pb.User:
        edit = codec.decode_own_edit(request)
        return codec.encode_user(await self._usecases.update_current_user(current_caller(), edit))

    async def ListUsers(self, request: pb.ListUsersRequest, context: Any) -> pb.ListUsersResponse:
        query = codec.decode_query(request)
        page = await self._usecases.list_users(
            current_caller(),
            query,
            after=codec.decode_position(request, query.order),
            limit=request.page_size or PAGE_SIZE_DEFAULT,
        )
        return codec.encode_page(page, request)

    async def UpdateUser(self, request: pb.UpdateUserRequest, context: Any) -> pb.User:
        user_id, edit = codec.decode_edit(request)
        return codec.encode_user(await self._usecases.update_user(current_caller(), user_id, edit))

    async def DeactivateUser(self, request: pb.DeactivateUserRequest, context: Any) -> pb.User:
        user_id = decode_id(request.user_id)
        return codec.encode_user(await self._usecases.deactivate_user(current_caller(), user_id))

    async def ReactivateUser(self, request: pb.ReactivateUserRequest, context: Any) -> pb.User:
        user_id = decode_id(request.user_id)
        return codec.encode_user(await self._usecases.reactivate_user(current_caller(), user_id))

    async def DeleteUser(self, request: pb.DeleteUserRequest, context: Any) -> pb.User:
        user_id = decode_id(request.user_id)
        return codec.encode_user(await self._usecases.delete_user(current_caller(), user_id))

    async def UndeleteUser(self, request: pb.UndeleteUserRequest, context: Any) -> pb.User:
        user_id = decode_id(request.user_id)
        return codec.encode_user(await self._usecases.undelete_user(current_caller(), user_id))

    async def ResendInvitation(self, request: pb.ResendInvitationRequest, context: Any) -> pb.User:
        user_id = decode_id(request.user_id)
        return codec.encode_user(await self._usecases.resend_invitation(current_caller(), user_id))


class AddressServicer(AddressServiceServicer):
    """Serves auth, to which people prove their addresses."""

    def __init__(self, change_email: ChangeEmail) -> None:
        self._change_email = change_email

    async def ChangeEmail(
        self, request: address_service_pb2.ChangeEmailRequest, context: Any
    ) -> address_service_pb2.ChangeEmailResponse:
        user_id = decode_id(request.user_id)
        await self._change_email(user_id, request.from_email, request.to_email)
        return address_service_pb2.ChangeEmailResponse()


class PeopleServicer(PeopleServiceServicer):
    """Answers other services."""

    def __init__(self, usecases: StandingUseCases) -> None:
        self._usecases = usecases

    async def GetPersonStanding(
        self, request: people_pb.GetPersonStandingRequest, context: Any
    ) -> people_pb.PersonStanding:
        company_id, user_id = map(decode_id, (request.company_id, request.user_id))
        return codec.encode_standing(await self._usecases.get_person_of(company_id, user_id))

    async def CountPeople(
        self, request: people_pb.CountPeopleRequest, context: Any
    ) -> people_pb.CountPeopleResponse:
        company_id = decode_id(request.company_id)
        return codec.encode_counts(await self._usecases.count_people_of(company_id))
