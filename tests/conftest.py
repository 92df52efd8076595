"""What every test shares: the real servers, their distribution over workers, CI's strictness."""

import os
from collections.abc import Generator

import pytest

pytest_plugins = ["tests.fixtures.nats", "tests.fixtures.postgres", "tests.fixtures.tokens"]

# Folders whose tests share one expensive system: each runs on one worker, in order.
_SHARED_SYSTEM_FOLDERS = frozenset({"e2e", "gateway"})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a module, and those of a shared system, on one pytest-xdist worker."""
    for item in items:
        folder = item.path.relative_to(item.config.rootpath / "tests").parts[0]
        group = folder if folder in _SHARED_SYSTEM_FOLDERS else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI, a test that is not run has failed: CI's machine can run them all."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CI"):
        report.outcome = "failed"
        report.longrepr = f"not run in CI: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a module that is not collected."""
    report = yield
    if report.skipped and os.environ.get("CI"):
        report.outcome = "failed"
        report.longrepr = f"not run in CI: {report.longrepr}"
    return report
