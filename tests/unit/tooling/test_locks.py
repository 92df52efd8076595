"""The locks: complete, nested, and free of addresses."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
LOCKS = ("requirements.lock", "requirements-stack.lock", "requirements-dev.lock")
ENTRY = re.compile(
    r"^([a-z0-9-]+)==(\S+)( ; [^\\]+)? \\\n((?:    --hash=sha256:\w{64}(?: \\)?\n)+)", re.MULTILINE
)


def entries(name: str) -> dict[str, str]:
    """Return each package of a lock with all that is said of it."""
    text = (ROOT / name).read_text("utf-8")
    return {match[1]: match[0] for match in ENTRY.finditer(text)}


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_holds_versions_and_hashes_alone(name: str) -> None:
    """Where packages come from is the machine's affair: nothing in a lock names a place."""
    text = (ROOT / name).read_text("utf-8")
    rest = ENTRY.sub("", text).splitlines()

    assert all(line.startswith("#") for line in rest), rest
    assert "://" not in text


def test_each_lock_is_part_of_the_next_one() -> None:
    """What is tested is what runs: a package has the same version and hashes in each lock."""
    services, stack, dev = (entries(name) for name in LOCKS)

    assert services.items() <= stack.items() <= dev.items()


def test_the_locks_follow_the_pins() -> None:
    """Each pin of pyproject.toml is in the lock of its group."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    groups = {
        "requirements.lock": project["dependencies"],
        "requirements-stack.lock": project["optional-dependencies"]["stack"],
        "requirements-dev.lock": project["optional-dependencies"]["dev"],
    }
    for name, pins in groups.items():
        locked = entries(name)
        for pin in pins:
            if "==" not in pin:
                assert pin == "dashtrack[stack]"
                continue
            package, version = re.sub(r"\[.*\]", "", pin).lower().split("==")
            assert locked[package].startswith(f"{package}=={version} ")


def test_nothing_pulls_in_a_machine_learning_framework() -> None:
    """Gigabytes that no part of the system needs stay out."""
    assert entries("requirements-dev.lock").keys().isdisjoint({"torch", "tensorflow", "jax"})
