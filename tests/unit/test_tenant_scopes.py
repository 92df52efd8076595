"""No repository can be asked anything without saying for whom."""

import inspect
from collections.abc import Iterator
from types import ModuleType

import pytest

from services.auth.ports import api_keys as api_keys_ports
from services.auth.storage import api_keys as api_keys_storage
from services.chassis.identity import TenantScope
from services.companies.ports import companies as companies_ports
from services.companies.ports import holdings as holdings_ports
from services.companies.ports import vehicles as vehicles_ports
from services.companies.storage import companies as companies_storage
from services.companies.storage import holdings as holdings_storage
from services.companies.storage import vehicles as vehicles_storage
from services.telemetry.ports import registry as telemetry_ports
from services.telemetry.storage import registry as telemetry_storage
from services.users import ports as users_ports
from services.users.storage import repository as users_storage

# Of auth only API keys are among them: the rest belongs to a person, and is reached by them alone.
MODULES = [
    api_keys_ports,
    api_keys_storage,
    companies_ports,
    companies_storage,
    holdings_ports,
    holdings_storage,
    telemetry_ports,
    telemetry_storage,
    users_ports,
    users_storage,
    vehicles_ports,
    vehicles_storage,
]


def repositories(module: ModuleType) -> Iterator[type]:
    """Find the repositories that a module defines."""
    for name, value in vars(module).items():
        if name.endswith("Repository") and value.__module__ == module.__name__:
            yield value


def queries() -> Iterator[object]:
    """Find every public method of every repository, port and adapter."""
    for module in MODULES:
        found = list(repositories(module))
        assert found, f"{module.__name__} has no repository"
        for repository in found:
            for name, method in inspect.getmembers(repository, inspect.isfunction):
                if not name.startswith("_"):
                    yield pytest.param(method, id=f"{module.__name__}.{method.__qualname__}")


@pytest.mark.parametrize("query", list(queries()))
def test_queries_take_a_scope_that_cannot_be_left_out(query: object) -> None:
    """The scope comes first, is a TenantScope, and has no default."""
    assert inspect.isfunction(query)
    _, scope, *_ = inspect.signature(query).parameters.values()

    assert scope.name == "scope"
    assert scope.annotation is TenantScope
    assert scope.default is inspect.Parameter.empty
