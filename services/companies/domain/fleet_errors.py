"""What can go wrong with vehicles, teams, and the people who are in and on them."""

import uuid

from services.chassis.errors import DomainError, Kind
from services.chassis.identity import Role


class OdometerDecreased(DomainError):
    """Odometers don't go back, unless the reading before was wrong."""

    kind = Kind.PRECONDITION
    reason = "ODOMETER_DECREASED"

    def __init__(self, odometer_m: int) -> None:
        """Name the reading that is stored."""
        message = "The odometer shows more already; say so if that was wrong."
        super().__init__(message, odometer_m=str(odometer_m))


class VehicleAssigned(DomainError):
    """Somebody is assigned to the vehicle."""

    kind = Kind.PRECONDITION
    reason = "VEHICLE_ASSIGNED"

    def __init__(self, vehicle_id: uuid.UUID) -> None:
        """Name the vehicle."""
        message = "Somebody is assigned to this vehicle; end that first."
        super().__init__(message, vehicle_id=str(vehicle_id))


class VehicleRetired(DomainError):
    """Nobody is assigned to a vehicle that is out of use."""

    kind = Kind.PRECONDITION
    reason = "VEHICLE_RETIRED"

    def __init__(self, vehicle_id: uuid.UUID) -> None:
        """Name the vehicle."""
        super().__init__("This vehicle is retired.", vehicle_id=str(vehicle_id))


class VehicleHasDriver(DomainError):
    """Somebody else drives the vehicle."""

    kind = Kind.PRECONDITION
    reason = "VEHICLE_HAS_DRIVER"

    def __init__(self, vehicle_id: uuid.UUID, user_id: uuid.UUID | None = None) -> None:
        """Name the vehicle and, if they are known, its driver."""
        super().__init__("This vehicle has a driver.", vehicle_id=str(vehicle_id))
        if user_id:
            self.metadata["user_id"] = str(user_id)


class PersonHasVehicle(DomainError):
    """The person is on another vehicle."""

    kind = Kind.PRECONDITION
    reason = "PERSON_HAS_VEHICLE"

    def __init__(self, user_id: uuid.UUID, vehicle_id: uuid.UUID | None = None) -> None:
        """Name the person and, if it is known, the other vehicle."""
        super().__init__("This person is on another vehicle.", user_id=str(user_id))
        if vehicle_id:
            self.metadata["vehicle_id"] = str(vehicle_id)


class PersonRoleUnfit(DomainError):
    """Only drivers and helpers go on vehicles."""

    kind = Kind.PRECONDITION
    reason = "PERSON_ROLE_UNFIT"

    def __init__(self, user_id: uuid.UUID, role: Role) -> None:
        """Name the person and their role."""
        message = "Only drivers and helpers are assigned to vehicles."
        super().__init__(message, user_id=str(user_id), role=role.value)


class AssignmentNotFound(DomainError):
    """No assignment with this id is in the caller's reach."""

    kind = Kind.NOT_FOUND
    reason = "ASSIGNMENT_NOT_FOUND"

    def __init__(self, assignment_id: uuid.UUID) -> None:
        """Name the id that was asked for."""
        super().__init__("There is no such assignment.", assignment_id=str(assignment_id))


class TeamNotFound(DomainError):
    """No team with this id is in the caller's reach."""

    kind = Kind.NOT_FOUND
    reason = "TEAM_NOT_FOUND"

    def __init__(self, team_id: uuid.UUID) -> None:
        """Name the id that was asked for."""
        super().__init__("There is no such team.", team_id=str(team_id))


class TeamNameTaken(DomainError):
    """The company has a team with this name, in whatever case."""

    kind = Kind.ALREADY_EXISTS
    reason = "TEAM_NAME_TAKEN"

    def __init__(self) -> None:
        """Say it in words; the name is the caller's own."""
        super().__init__("The company has a team with this name.")


class PersonHasTeam(DomainError):
    """The person is in another team."""

    kind = Kind.PRECONDITION
    reason = "PERSON_HAS_TEAM"

    def __init__(self, user_id: uuid.UUID, team_id: uuid.UUID | None = None) -> None:
        """Name the person and, if it is known, the other team."""
        super().__init__("This person is in another team; transfer them.", user_id=str(user_id))
        if team_id:
            self.metadata["team_id"] = str(team_id)


class MembershipNotFound(DomainError):
    """The person is not in the team."""

    kind = Kind.NOT_FOUND
    reason = "MEMBERSHIP_NOT_FOUND"

    def __init__(self, team_id: uuid.UUID, user_id: uuid.UUID) -> None:
        """Name the team and the person."""
        message = "This person is not in this team."
        super().__init__(message, team_id=str(team_id), user_id=str(user_id))


class UserNotFound(DomainError):
    """No person with this id is in the company."""

    kind = Kind.NOT_FOUND
    reason = "USER_NOT_FOUND"

    def __init__(self, user_id: uuid.UUID) -> None:
        """Name the id that was asked for."""
        super().__init__("There is no such person.", user_id=str(user_id))


class UserDeactivated(DomainError):
    """Whoever has no access gets no team and no vehicle."""

    kind = Kind.PRECONDITION
    reason = "USER_DEACTIVATED"

    def __init__(self, user_id: uuid.UUID) -> None:
        """Name the person."""
        super().__init__("This person is deactivated; reactivate them.", user_id=str(user_id))
