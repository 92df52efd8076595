"""What callers of telemetry are told when something can't be done."""

import math
import uuid

from services.chassis.errors import (
    DomainError,
    FieldViolation,
    InvalidArgument,
    Kind,
    PermissionDenied,
    Unauthenticated,
)


class DeviceNotFound(DomainError):
    """No such device in the caller's reach."""

    kind = Kind.NOT_FOUND
    reason = "DEVICE_NOT_FOUND"

    def __init__(self, device_id: uuid.UUID) -> None:
        super().__init__("There is no such device.", device_id=str(device_id))


class CompanyNotFound(DomainError):
    """No such company in the caller's reach."""

    kind = Kind.NOT_FOUND
    reason = "COMPANY_NOT_FOUND"

    def __init__(self, company_id: uuid.UUID) -> None:
        super().__init__("There is no such company.", company_id=str(company_id))


class CompanySuspended(DomainError):
    """The company stands still until it is resumed: it gets no more devices."""

    kind = Kind.PRECONDITION
    reason = "COMPANY_SUSPENDED"

    def __init__(self, company_id: uuid.UUID) -> None:
        super().__init__("The company is suspended.", company_id=str(company_id))


class UploadsSuspended(DomainError):
    """What a suspended company's boards are told: keep everything, come back later.

    Any refusal but this one would have them throw data away, or stop for good.
    """

    kind = Kind.UNAVAILABLE
    reason = "COMPANY_SUSPENDED"

    def __init__(self, company_id: uuid.UUID, retry_after_s: float) -> None:
        super().__init__(
            "The company is suspended.", retry_after_s=retry_after_s, company_id=str(company_id)
        )
        # The gateway tries again at once what is unavailable; this has Envoy leave it at one try.
        self.headers = {"x-envoy-ratelimited": "true"}


class CompanyRequired(InvalidArgument):
    """An operator belongs to no company and has to name one."""

    reason = "COMPANY_REQUIRED"

    def __init__(self, field: str) -> None:
        message = "Name the company."
        super().__init__(message, violations=[FieldViolation(field, message)])


class VehicleNotFound(DomainError):
    """The company has no such vehicle."""

    kind = Kind.NOT_FOUND
    reason = "VEHICLE_NOT_FOUND"

    def __init__(self, vehicle_id: uuid.UUID) -> None:
        super().__init__("There is no such vehicle.", vehicle_id=str(vehicle_id))


class VehicleRetired(DomainError):
    """Nothing is put on a vehicle that is out of use."""

    kind = Kind.PRECONDITION
    reason = "VEHICLE_RETIRED"

    def __init__(self, vehicle_id: uuid.UUID) -> None:
        super().__init__("This vehicle is retired.", vehicle_id=str(vehicle_id))


class HardwareIdTaken(DomainError):
    """The board is registered already, by this company or another."""

    kind = Kind.ALREADY_EXISTS
    reason = "HARDWARE_ID_TAKEN"

    def __init__(self, hardware_id: str) -> None:
        super().__init__("This board is registered already.", hardware_id=hardware_id)


class ClaimCodeInvalid(Unauthenticated):
    """Unknown, used or expired; deliberately not saying which."""

    reason = "CLAIM_CODE_INVALID"

    def __init__(self) -> None:
        super().__init__("The claim code does not work for this board.")


class DeviceSecretInvalid(Unauthenticated):
    """Unknown device or wrong secret; deliberately not saying which."""

    reason = "DEVICE_SECRET_INVALID"

    def __init__(self) -> None:
        super().__init__("The device's secret is not accepted.")


class DeviceRevoked(PermissionDenied):
    """The device was disabled, or is none that we know: it must stop."""

    reason = "DEVICE_REVOKED"

    def __init__(self, device_id: uuid.UUID) -> None:
        super().__init__("The device was disabled.", device_id=str(device_id))


class SensorNotFound(DomainError):
    """The device never sent this sensor."""

    kind = Kind.NOT_FOUND
    reason = "SENSOR_NOT_FOUND"

    def __init__(self, device_id: uuid.UUID, sensor: str) -> None:
        super().__init__(
            "The device never sent this sensor.", device_id=str(device_id), sensor=sensor
        )


class TimeRangeInvalid(InvalidArgument):
    """The end of a range is not after its start."""

    reason = "TIME_RANGE_INVALID"

    def __init__(self, description: str) -> None:
        super().__init__(description, violations=[FieldViolation("end_time", description)])


class BatchEmpty(InvalidArgument):
    """The upload has no body."""

    reason = "BATCH_EMPTY"

    def __init__(self) -> None:
        super().__init__("The upload has no body.")


class BatchMalformed(InvalidArgument):
    """The body is not a batch, or breaks the rules of one."""

    reason = "BATCH_MALFORMED"

    def __init__(self, detail: str) -> None:
        super().__init__(f"The batch is malformed: {detail}.", detail=detail)


class BatchTooLarge(InvalidArgument):
    """The batch exceeds a limit; its parts would not."""

    reason = "BATCH_TOO_LARGE"

    def __init__(self, what: str, *, limit: int, actual: int) -> None:
        super().__init__(
            f"The batch exceeds the limit of {limit} {what}.",
            what=what,
            limit=str(limit),
            actual=str(actual),
        )


class BatchTimeOutOfWindow(InvalidArgument):
    """The batch lies further back, or further ahead, than is stored."""

    reason = "BATCH_TIME_OUT_OF_WINDOW"

    def __init__(self, t0_ms: int, *, earliest_ms: int, latest_ms: int) -> None:
        super().__init__(
            "The batch's time is outside of what is stored; all are in ms since 1970.",
            t0=str(t0_ms),
            earliest=str(earliest_ms),
            latest=str(latest_ms),
        )


class BatchConflict(DomainError):
    """Another batch with the same identity and different content is stored."""

    kind = Kind.ALREADY_EXISTS
    reason = "BATCH_CONFLICT"

    def __init__(self, boot_id: int, seq: int, part: int) -> None:
        super().__init__(
            "A different batch is stored under the same identity.",
            boot_id=str(boot_id),
            seq=str(seq),
            part=str(part),
        )


class ContentEncodingInvalid(InvalidArgument):
    """The body is encoded in a way that is not understood, or does not decode."""

    reason = "CONTENT_ENCODING_INVALID"

    def __init__(self) -> None:
        super().__init__("Send the body plain or as gzip, complete and undamaged.")


class UptimeRequired(InvalidArgument):
    """The times of the batch count from the board's boot, and the upload doesn't say its uptime."""

    reason = "UPTIME_REQUIRED"

    def __init__(self) -> None:
        super().__init__("A boot-relative batch needs the header x-dashtrack-uptime-ms.")


class IngestOverloaded(DomainError):
    """More batches wait to be stored than the service is willing to hold."""

    kind = Kind.EXHAUSTED
    reason = "INGEST_OVERLOADED"

    def __init__(self, retry_after_s: float) -> None:
        super().__init__("Too many batches are waiting.", retry_after_s=retry_after_s)


class UploadRateExceeded(DomainError):
    """The company's boards together upload more often than its plan allows."""

    kind = Kind.EXHAUSTED
    reason = "UPLOAD_RATE_EXCEEDED"

    def __init__(self, limit: int, retry_after_s: float) -> None:
        super().__init__(
            f"The plan allows {limit} uploads a minute.",
            retry_after_s=retry_after_s,
            limit=str(limit),
            quota="uploads",
        )
        self.headers = {
            "x-ratelimit-limit": str(limit),
            "x-ratelimit-remaining": "0",
            "x-ratelimit-reset": str(math.ceil(retry_after_s)),
        }
