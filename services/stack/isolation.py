"""How PostgreSQL, which refuses to run as root, is run by root all the same."""

import os
import pwd
import signal
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

# Files of users that a namespace doesn't know appear as this user's: it must not be the one.
_OVERFLOW_UID = 65534


@dataclass(frozen=True, slots=True)
class Isolation:
    """Who a child is: `direct` the caller, `namespace` a user seen from inside, `user` another."""

    mode: Literal["direct", "namespace", "user"]
    uid: int
    gid: int

    @property
    def owner_uid(self) -> int:
        """Who owns the child's files, seen from outside."""
        return self.uid if self.mode == "user" else os.geteuid()

    @property
    def owner_gid(self) -> int:
        """Which group owns the child's files, seen from outside."""
        return self.gid if self.mode == "user" else os.getegid()


DIRECT = Isolation("direct", -1, -1)


def unprivileged_isolation() -> Isolation:
    """Choose how to run a program that refuses root: directly unless we are root."""
    if os.geteuid() != 0:
        return DIRECT
    # initdb looks its user up, so the number has to have a name on this machine.
    account = min(
        (entry for entry in pwd.getpwall() if 0 < entry.pw_uid < _OVERFLOW_UID),
        key=lambda entry: (entry.pw_uid < 1000, entry.pw_uid),
    )
    namespace = Isolation("namespace", account.pw_uid, account.pw_gid)
    return namespace if _works(namespace) else Isolation("user", account.pw_uid, account.pw_gid)


@cache
def _works(isolation: Isolation) -> bool:
    launcher = Path(__file__).with_name("launch.py")
    tie = [str(int(signal.SIGKILL)), str(os.getpid())]
    identity = [isolation.mode, str(isolation.uid), str(isolation.gid)]
    # Some systems allow the namespace and take its capabilities away: only a whole run tells.
    check = [sys.executable, "-I", "-S", "-c", "import os; raise SystemExit(os.geteuid() == 0)"]
    command = [sys.executable, "-I", "-S", str(launcher), *tie, *identity, *check]
    finished = subprocess.run(command, check=False, capture_output=True)
    return finished.returncode == 0
