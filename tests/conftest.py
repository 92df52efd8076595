"""What every test shares: the real servers, their distribution over workers, CI's strictness."""

import os
from collections.abc import Generator

import pytest

pytest_plugins = ["tests.fixtures.nats", "tests.fixtures.postgres", "tests.fixtures.tokens"]

# Folders whose tests share one expensive system: each runs on one worker, in order.
_SHARED_SYSTEM_FOLDERS = frozenset({"e2e", "gateway"})


# A wrapper, since pytest-xdist reads the groups in a hook that asks to be first.
@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None, None, None]:
    """Keep the tests of a module, and those of a shared system, on one pytest-xdist worker."""
    for item in items:
        place = item.path.relative_to(item.config.rootpath / "tests")
        shared = place.parts[0] in _SHARED_SYSTEM_FOLDERS
        group = place.parts[0] if shared else place.as_posix()
        item.add_marker(pytest.mark.xdist_group(group))
    yield


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
