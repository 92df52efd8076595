"""Health by the standard protocol: not serving until what the service needs has answered."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from grpc_health.v1 import health_pb2
from grpc_health.v1.health import aio as aio_health
from prometheus_client import CollectorRegistry, Gauge

from services.chassis.logs import get_logger

Check = Callable[[], Awaitable[None]]

_STARTING_INTERVAL_S = 0.25
_SERVING_INTERVAL_S = 2.0
_CHECK_TIMEOUT_S = 3.0
# A short loss of the database is answered better by the service, call by call and with a hint to
# try again, than by a gateway that has no service left to ask.
_FAILURES_UNTIL_NOT_SERVING = 5

log = get_logger(__name__)


class HealthMonitor:
    """Keeps the health of a service up to date from what its checks say."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Report on the server as a whole until it is known which services it holds."""
        self.servicer = aio_health.HealthServicer()
        self._names = [""]
        self._serving = asyncio.Event()
        self._stopped = False
        self._failures = 0
        self._said: dict[str, str] = {}
        self._up = Gauge(
            "dependency_up",
            "Whether what the service depends on answers.",
            ["dependency"],
            registry=registry,
        )

    @property
    def serving(self) -> bool:
        """Tell whether the service takes calls."""
        return self._serving.is_set()

    async def until_serving(self) -> None:
        """Wait for the first time that all checks pass."""
        await self._serving.wait()

    async def report_not_serving(self) -> None:
        """Say that the service takes no calls for now."""
        self._serving.clear()
        await self._set(health_pb2.HealthCheckResponse.NOT_SERVING)

    async def watch(
        self, names: Sequence[str], checks: Mapping[str, Check], vital: frozenset[str]
    ) -> None:
        """Check for ever.

        Args:
            names: the services to report on besides the server as a whole.
            checks: by name; each raises while what it looks at is away.
            vital: those without which the service is of no use. The others hold up its start
                and are only noted later.
        """
        self._names = ["", *names]
        await self.report_not_serving()
        while True:
            passed = {name: await self._passes(name, check) for name, check in checks.items()}
            await self._conclude(passed, vital)
            await asyncio.sleep(_SERVING_INTERVAL_S if self.serving else _STARTING_INTERVAL_S)

    async def stop(self) -> None:
        """Say for good that the service takes no calls any more."""
        # The checks go on and still pass, which must not bring the service back.
        self._stopped = True
        self._serving.clear()
        await self.servicer.enter_graceful_shutdown()

    async def _passes(self, name: str, check: Check) -> bool:
        said = ""
        try:
            async with asyncio.timeout(_CHECK_TIMEOUT_S):
                await check()
        except Exception as err:  # noqa: BLE001 - whatever a check raises says the same
            said = str(err) or type(err).__name__
        if said != self._said.get(name, ""):
            if said:
                log.warning("dependency_down", dependency=name, error=said)
            else:
                log.info("dependency_up", dependency=name)
        self._said[name] = said
        self._up.labels(name).set(0 if said else 1)
        return not said

    async def _conclude(self, passed: Mapping[str, bool], vital: frozenset[str]) -> None:
        if all(passed.values()):
            self._failures = 0
            if not self.serving and not self._stopped:
                await self._set(health_pb2.HealthCheckResponse.SERVING)
                self._serving.set()
                log.info("serving")
        elif not all(passed[name] for name in vital):
            self._failures += 1
            if self.serving and self._failures >= _FAILURES_UNTIL_NOT_SERVING:
                log.error("not_serving", missing=[name for name, ok in passed.items() if not ok])
                await self.report_not_serving()

    async def _set(self, status: Any) -> None:
        for name in self._names:
            await self.servicer.set(name, status)
