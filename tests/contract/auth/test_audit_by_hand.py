"""What AUDIT.md tells auditors to do proves an export, with nothing of the product in it."""

import base64
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from services.chassis.database import Database
from tests.fixtures.audit_log import KEPT, AuditWorld

AUDIT_MD = Path(__file__).parents[3] / "services" / "auth" / "AUDIT.md"


@pytest.fixture
def log(database: Database) -> AuditWorld:
    """An empty audit log."""
    return AuditWorld(database)


class Auditor:
    """Somebody with the page, an export and a public key."""

    def __init__(self, folder: Path, key: bytes) -> None:
        (script,) = re.findall(r"```python\n(.*?)```", AUDIT_MD.read_text(), re.DOTALL)
        self._script = folder / "check.py"
        self._script.write_text(script)
        self._export = folder / "export.ndjson"
        self._key = base64.b64encode(key).decode()

    def check(self, lines: list[bytes]) -> subprocess.CompletedProcess[str]:
        """Run the page's program, which finds no module of the product."""
        self._export.write_bytes(b"".join(lines))
        return subprocess.run(
            [sys.executable, "-I", str(self._script), str(self._export), self._key],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


async def test_the_page_proves_an_export(log: AuditWorld, tmp_path: Path) -> None:
    """A log that was pruned, signed in between, and lost its key to personal data at the end."""
    await log.filled(2)
    log.now += KEPT + timedelta(days=2)
    await log.filled(3, action='say "\\no"')
    await log.prune.prune(log.company_id)
    await log.filled(1)
    auditor = Auditor(tmp_path, (await log.keys())[0].public_key)

    shown = auditor.check(await log.export())
    await log.erase(log.company_id)
    erased = auditor.check(await log.export())

    assert (shown.returncode, shown.stdout) == (0, "4 records, proven up to 6\n"), shown.stderr
    assert (erased.returncode, erased.stdout) == (0, "5 records, proven up to 7\n"), erased.stderr


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"outcome":"OK"', b'"outcome":"NO"'),
        (b'"203.0.113.7"', b'"203.0.113.8"'),
        (b'"sequence":2', b'"sequence":3'),
        (b'"purpose":"dashtrack-audit"', b'"purpose":"other"'),
        (b'"records":2', b'"records":1'),
        (b'{"records":2,"type":"end"}\n', b""),
    ],
)
async def test_the_page_finds_what_was_altered(
    log: AuditWorld, tmp_path: Path, old: bytes, new: bytes
) -> None:
    """In records, in what is beside them, in heads, and in the end."""
    await log.filled(2)
    lines = [line.replace(old, new) for line in await log.export()]
    auditor = Auditor(tmp_path, (await log.keys())[0].public_key)

    assert auditor.check(lines).returncode == 1
