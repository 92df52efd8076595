"""What can go wrong with companies and what is theirs."""

import uuid

from services.chassis.errors import DomainError, FieldViolation, InvalidArgument, Kind


class CompanyNotFound(DomainError):
    """No company with this id is in the caller's reach."""

    kind = Kind.NOT_FOUND
    reason = "COMPANY_NOT_FOUND"

    def __init__(self, company_id: uuid.UUID) -> None:
        """Name the id that was asked for."""
        super().__init__("There is no such company.", company_id=str(company_id))


class CompanyNameTaken(DomainError):
    """Another company has this name, in whatever case."""

    kind = Kind.ALREADY_EXISTS
    reason = "COMPANY_NAME_TAKEN"

    def __init__(self) -> None:
        """Say it in words; the name is the caller's own."""
        super().__init__("Another company has this name.")


class CompanyRequired(InvalidArgument):
    """What is asked for is a company's, and the caller has none that could be meant."""

    reason = "COMPANY_REQUIRED"

    def __init__(self, field: str) -> None:
        """Point at the field."""
        message = "A company has to be named."
        super().__init__(message, violations=[FieldViolation(field, message)])


class VehicleNotFound(DomainError):
    """No vehicle with this id is in the caller's reach."""

    kind = Kind.NOT_FOUND
    reason = "VEHICLE_NOT_FOUND"

    def __init__(self, vehicle_id: uuid.UUID) -> None:
        """Name the id that was asked for."""
        super().__init__("There is no such vehicle.", vehicle_id=str(vehicle_id))


class PlateTaken(DomainError):
    """The company has a vehicle with this plate already."""

    kind = Kind.ALREADY_EXISTS
    reason = "PLATE_TAKEN"

    def __init__(self, plate: str) -> None:
        """Name the plate."""
        super().__init__("The company has a vehicle with this plate.", plate=plate)


class CompanyNotSuspended(DomainError):
    """Only a company that nobody works with any more can be deleted."""

    kind = Kind.PRECONDITION
    reason = "COMPANY_NOT_SUSPENDED"

    def __init__(self, company_id: uuid.UUID) -> None:
        """Name the company."""
        super().__init__("Suspend the company first.", company_id=str(company_id))


class CompanyDeleting(DomainError):
    """The company is being deleted, and nothing about it changes any more."""

    kind = Kind.PRECONDITION
    reason = "COMPANY_DELETING"

    def __init__(self, company_id: uuid.UUID) -> None:
        """Name the company."""
        super().__init__("The company is being deleted.", company_id=str(company_id))


class PlanNotFound(DomainError):
    """There is no plan with this id."""

    kind = Kind.NOT_FOUND
    reason = "PLAN_NOT_FOUND"

    def __init__(self, plan_id: str) -> None:
        """Name the id that was asked for."""
        super().__init__("There is no such plan.", plan_id=plan_id)


class PlanIdTaken(DomainError):
    """Another plan has this id."""

    kind = Kind.ALREADY_EXISTS
    reason = "PLAN_ID_TAKEN"

    def __init__(self, plan_id: str) -> None:
        """Name the id."""
        super().__init__("Another plan has this id.", plan_id=plan_id)


class PlanRetired(DomainError):
    """No further company gets this plan."""

    kind = Kind.PRECONDITION
    reason = "PLAN_RETIRED"

    def __init__(self, plan_id: str) -> None:
        """Name the plan."""
        super().__init__("No further company gets this plan.", plan_id=plan_id)
