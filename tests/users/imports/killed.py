"""`python -m tests.users.imports.killed URL SPOOL KEY POINT`: save an import, and be killed at this point."""

import os
import signal
import sys

from myproject import main
from myproject.users.imports import jobs, spool
from tests.signed_in import SECRET


def kill(*_arguments, **_options):
    os.kill(os.getpid(), signal.SIGKILL)


def kill_at(owner, name, is_there=lambda *arguments: True):
    """Let the process be killed when this method is called with arguments for which `is_there` is true."""
    method = getattr(owner, name)
    setattr(owner, name, lambda self, *rest, **more: (kill if is_there(self, *rest) else method)(self, *rest, **more))


POINTS = {
    "checking": lambda: kill_at(jobs.Reporter, "advance", lambda reporter, _: reporter.progress.step == "comparing"),
    "saving": lambda: kill_at(jobs.Reporter, "advance", lambda reporter, _: reporter.progress.step == "applying"),
    "before commit": lambda: kill_at(jobs.Reporter, "start", lambda _, step, __: step == "committing"),
    "after commit": lambda: kill_at(spool.Claim, "discard", lambda _, *names: spool.UPLOAD in names),
    "cleaning": lambda: kill_at(spool.Claim, "end", lambda _, state: state == spool.SAVED),
}

if __name__ == "__main__":
    url, folder, key, point = sys.argv[1:]
    settings = {"sqlalchemy.url": url, "myproject.secret": SECRET, "spool.folder": folder}
    imports = main({}, **settings).registry["imports"]
    POINTS[point]()
    if point == "checking":
        claim = imports.spool.claim(key, spool.CHECKED)
        claim.change(state=spool.CHECKING)
        imports.check(claim)
    else:
        imports.save(key, imports.spool.read(key).plan, 0)
    imports.wait(60)
