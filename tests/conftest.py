"""What every test shares: the real servers, their distribution over workers, CI's strictness."""

import os
from collections.abc import Generator

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

pytest_plugins = [
    "tests.fixtures",  # first: has the asserts of all below rewritten, whichever imports which
    "tests.fixtures.auth_service",
    "tests.fixtures.costs",
    "tests.fixtures.company_directory",
    "tests.fixtures.every_service",
    "tests.fixtures.fleet_site",
    "tests.fixtures.nats",
    "tests.fixtures.otlp",
    "tests.fixtures.people_and_companies",
    "tests.fixtures.platform",
    "tests.fixtures.postgres",
    "tests.fixtures.stack",
    "tests.fixtures.telemetry_storage",
    "tests.fixtures.token_authority",
    "tests.fixtures.tokens",
    "tests.fixtures.two_tenants",
    "tests.fixtures.users_with_auth",
]

# Folders whose tests share one expensive system. They take longest, so they go first.
_SHARED_SYSTEMS = ("e2e", "gateway", "sagas")


def _share(node_id: str) -> str:
    """Name what a test shares its servers with: the folder of its system, or its module."""
    module, _, _ = node_id.partition("::")
    folder = module.split("/")[1]
    return folder if folder in _SHARED_SYSTEMS else module


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the shared systems first, so that no worker is left alone with one at the end."""
    items.sort(key=lambda item: _share(item.nodeid) not in _SHARED_SYSTEMS)


class _SharedServers(LoadScopeScheduling):
    """Keeps tests that share servers on one worker, which thus starts them once.

    pytest-xdist's own grouping by mark has no effect since pytest 9.2 (its issue 1386).
    """

    def _split_scope(self, nodeid: str) -> str:
        return _share(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Distribute tests by what they share."""
    return _SharedServers(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI, a test that is not run has failed: CI's machine can run them all."""
    report = yield
    if not hasattr(report, "wasxfail"):
        _fail_if_not_run(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a module that is not collected."""
    report = yield
    _fail_if_not_run(report)
    return report


def _fail_if_not_run(report: pytest.TestReport | pytest.CollectReport) -> None:
    if report.skipped and os.environ.get("CI"):
        # Of a skip, pytest reports the file, the line and the reason.
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"not run in CI: {reason}"
