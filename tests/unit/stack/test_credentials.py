"""Secrets are made once and read by their owner alone."""

import json
from pathlib import Path

import pytest

from services.stack.credentials import SERVICES, load_credentials


def test_they_stay_the_same(tmp_path: Path) -> None:
    """The second load returns what the first one made."""
    first = load_credentials(tmp_path / "secrets.json")
    assert json.loads((tmp_path / "secrets.json").read_text())["databases"] == first.databases
    assert load_credentials(tmp_path / "secrets.json") == first


def test_two_stacks_share_nothing(tmp_path: Path) -> None:
    """Every secret is drawn afresh, and no two are alike."""
    one, two = (load_credentials(tmp_path / name) for name in ("one", "two"))
    assert one.encryption_key != two.encryption_key
    words = [*one.databases.values(), *one.nats.values(), *one.services.values()]
    assert len(set(words)) == 3 * len(SERVICES)


def test_nobody_else_can_read_them(tmp_path: Path) -> None:
    """The file is its owner's, also after somebody opened it up."""
    path = tmp_path / "secrets.json"
    load_credentials(path)
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    load_credentials(path)
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_a_newer_version_needs_is_added(tmp_path: Path) -> None:
    """An older file keeps its secrets and gets those that it lacks."""
    path = tmp_path / "secrets.json"
    stored = json.loads(path.read_text()) if path.exists() else {}
    assert not stored
    first = load_credentials(path)
    stored = json.loads(path.read_text())
    del stored["encryption_key"]
    path.write_text(json.dumps(stored))
    second = load_credentials(path)
    assert second.databases == first.databases
    assert second.encryption_key
    assert load_credentials(path) == second


def test_they_do_not_show_in_a_representation(tmp_path: Path) -> None:
    """A traceback or a log line can't give them away."""
    credentials = load_credentials(tmp_path / "secrets.json")
    assert credentials.encryption_key not in repr(credentials)


def test_a_file_that_is_no_json_is_an_error(tmp_path: Path) -> None:
    """Secrets that can't be read aren't replaced: the data would become unreadable."""
    (tmp_path / "secrets.json").write_text("{")
    with pytest.raises(json.JSONDecodeError):
        load_credentials(tmp_path / "secrets.json")
