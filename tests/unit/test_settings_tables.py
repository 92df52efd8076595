"""What a service's README says about its settings is what its settings are."""

from pathlib import Path

import pytest
from pydantic.fields import FieldInfo

from services.auth.settings import AuthSettings
from services.chassis.settings import ServiceSettings
from services.companies.settings import CompaniesSettings
from services.users.settings import UsersSettings

SERVICES = Path(__file__).parents[2] / "services"
HEADER = "| variable | default | meaning |\n|---|---|---|\n"


def row(prefix: str, name: str, field: FieldInfo) -> str:
    """Write the line of one setting."""
    default = "required" if field.is_required() else f"`{field.default}`"
    if field.default is None:
        default = "none"
    return f"| `{prefix}{name.upper()}` | {default} | {field.description} |\n"


@pytest.mark.parametrize(
    ("name", "settings"),
    [("auth", AuthSettings), ("companies", CompaniesSettings), ("users", UsersSettings)],
)
def test_readmes_list_every_setting(name: str, settings: type[ServiceSettings]) -> None:
    """The table in the README has every variable with its default and its description."""
    fields = settings.model_fields.items()
    expected = HEADER + "".join(row(settings.env_prefix(), *field) for field in fields)

    readme = (SERVICES / name / "README.md").read_text()

    assert expected in readme, "the table should be:\n" + expected
