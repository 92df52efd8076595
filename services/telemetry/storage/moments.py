"""Milliseconds since 1970 to the database's timestamps and back, exactly."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_LAST_MS = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MILLISECOND
_BOOT_SIGN = 1 << 63
_BOOT_RANGE = 1 << 64


def moment(ms: int) -> datetime:
    """Return the moment, or the last one that there is."""
    return _EPOCH + timedelta(milliseconds=min(ms, _LAST_MS))


def milliseconds(at: datetime) -> int:
    """Return the milliseconds since 1970."""
    return (at - _EPOCH) // _MILLISECOND


def signed(boot_id: int) -> int:
    """Map an unsigned boot id onto the database's signed integers."""
    return boot_id - _BOOT_RANGE if boot_id >= _BOOT_SIGN else boot_id
