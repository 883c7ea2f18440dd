"""Change the critical modules at one place at a time, and see whether their tests notice: `make mutants`.

cosmic-ray makes the mutants, in a copy of the repository. A mutant that survives is printed with its difference, unless
survivors.toml gives the reason. This script runs in the environment of cosmic-ray, the tests in that of the project.
"""

import argparse
import contextlib
import fnmatch
import os
import random
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

from cosmic_ray.commands import init
from cosmic_ray.mutating import mutate_and_test
from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import WorkItem

ROOT = Path(__file__).parents[2]
SURVIVORS = Path(__file__).with_name("survivors.toml")
# The tests of each module, the likeliest first: a mutant ends with the first test that fails.
TESTS = {
    "myproject/db/after_answer.py": "tests/db/test_after_answer.py",
    "myproject/db/after_transaction.py": "tests/db/test_after_transaction.py",
    "myproject/db/base.py": "tests/db/test_base.py tests/users/test_models.py tests/test_migrations.py",
    "myproject/db/constraints.py": "tests/db/test_constraints.py tests/users/test_last_administrator.py",
    "myproject/db/engine.py": "tests/db/test_engine.py tests/db/test_reading_limit.py tests/signin/test_logging.py",
    "myproject/db/failure.py": "tests/db/test_failure.py tests/db/test_reading_limit.py tests/db/test_retry.py"
    " tests/db/test_broken_rollback.py tests/db/test_silence.py",
    "myproject/db/folding.py": "tests/db/test_folding.py tests/users/listing/test_search.py",
    "myproject/db/lookup.py": "tests/db/test_lookup.py tests/test_bad_input.py tests/posts/test_views.py",
    "myproject/db/postgresql.py": "tests/db/test_failure.py tests/db/test_reading_limit.py tests/db/test_engine.py"
    " tests/db/test_after_answer.py tests/db/test_transaction.py tests/db/test_silence.py tests/db/test_pooler.py",
    "myproject/db/postgresql_connection.py": "tests/db/test_silence.py tests/db/test_pooler.py",
    "myproject/db/version.py": "tests/db/test_version.py",
    "myproject/db/retry.py": "tests/db/test_retry.py",
    "myproject/db/session.py": "tests/db/test_session.py tests/db/test_transaction.py tests/db/test_writes.py"
    " tests/db/test_scripts.py tests/db/test_broken_rollback.py tests/test_settings.py",
    "myproject/db/sqlite.py": "tests/db/test_engine.py tests/db/test_failure.py tests/db/test_reading_limit.py"
    " tests/db/test_after_answer.py tests/db/test_session.py",
    "myproject/db/stream.py": "tests/db/test_stream.py",
    "myproject/db/transaction.py": "tests/db/test_transaction.py tests/db/test_session.py",
    "myproject/db/*.py": "tests/db",
    "myproject/web/receipts.py": "tests/web/test_receipts.py tests/web/test_every_form.py",
    "myproject/web/limits.py": "tests/web/test_limits.py tests/web/test_view_options.py tests/test_bad_input.py",
    "myproject/security.py": "tests/test_permissions.py",
    "myproject/signin/confirmation.py": "tests/users/test_erasing.py tests/signin/test_hashing.py"
    " tests/signin/test_passwords_pages.py",
    "myproject/signin/guessing.py": "tests/signin/test_guessing.py tests/signin/test_logging.py",
    "myproject/signin/hashing.py": "tests/signin/test_hashing.py",
    "myproject/signin/identity.py": "tests/signin/test_sign_ins.py tests/signin/test_cookies.py tests/signin",
    "myproject/signin/password_rules.py": "tests/signin/test_passwords.py tests/signin/test_passwords_pages.py",
    "myproject/signin/passwords.py": "tests/signin/test_passwords.py tests/signin/test_hashing.py",
    "myproject/signin/password_links.py": "tests/signin/test_passwords_pages.py tests/signin/test_hashing.py",
    "myproject/signin/setup.py": "tests/signin/test_setup.py tests/signin/test_hashing.py",
    "myproject/signin/views.py": "tests/signin/test_views.py tests/signin/test_hashing.py tests/signin",
    "myproject/signin/*.py": "tests/signin",
}
# Not worth a run: `|` is in annotations, which no test can notice, and `is` instead of `==` is another style.
USELESS = re.compile(r"core/(ReplaceBinaryOperator_BitOr_\w+|ReplaceComparisonOperator_(Not)?Eq_Is(Not)?)")
PYTEST = [str(ROOT / ".venv/bin/python"), "-m", "pytest", "-n0", "-x", "-q", "-p", "no:cacheprovider"]


def main() -> int:
    """Run the mutants of the command line; return 1 if one survives for no known reason."""
    options = read_options()
    with copy_of_repository() as folder, use_db(folder / "mutants.sqlite") as database:
        mutants = choose_mutants(database, options)
        seconds = {module: run_unchanged(module) for module in sorted({module_of(mutant) for mutant in mutants})}
        survived = tried = 0
        # An interrupted run counts what it has tried.
        with contextlib.suppress(KeyboardInterrupt):
            for mutant in mutants:
                survived += not is_caught(mutant, seconds[module_of(mutant)])
                tried += 1
    print(f"{tried - survived} of {tried} mutants were caught or are named in {SURVIVORS.name}.")
    return 1 if survived else 0


def read_options() -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("modules", nargs="*", help="only these, such as signin/views.py")
    parser.add_argument("--limit", type=int, help="try only a random sample of LIMIT mutants")
    parser.add_argument("--seed", type=int, default=1, help="another seed chooses another sample")
    parser.add_argument("--list", action="store_true", help="only count the mutants of each module")
    return parser.parse_args()


@contextlib.contextmanager
def copy_of_repository() -> Iterator[Path]:
    """Work in a copy of the repository, so that an interrupted run leaves no mutant behind; yield its folder."""
    with tempfile.TemporaryDirectory(prefix="myproject-mutants-") as name:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True)
        for path in filter(None, listed.stdout.split("\0")):
            target = Path(name, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, target)
        os.chdir(name)
        os.environ["PYTHONPATH"] = name
        yield Path(name)


def choose_mutants(database: WorkDB, options: argparse.Namespace) -> list[WorkItem]:
    """Return the mutants to try, in the order of the modules."""
    found = sorted({path for pattern in TESTS for path in Path().glob(pattern) if path.name != "__init__.py"})
    modules = [path for path in found if not options.modules or str(path).endswith(tuple(options.modules))]
    init(modules, database, {})
    mutants = [item for item in database.work_items if not USELESS.fullmatch(item.mutations[0].operator_name)]
    mutants.sort(key=lambda item: (module_of(item), item.mutations[0].start_pos, item.mutations[0].operator_name))
    if options.list:
        for module in modules:
            print(f"{sum(module_of(mutant) == str(module) for mutant in mutants):5} {module}")
        sys.exit()
    if options.limit and options.limit < len(mutants):
        chosen = set(random.Random(options.seed).sample(range(len(mutants)), options.limit))
        mutants = [mutant for number, mutant in enumerate(mutants) if number in chosen]
    return mutants


def module_of(mutant: WorkItem) -> str:
    """Return the path of the module that `mutant` changes."""
    return str(mutant.mutations[0].module_path)


def command_for(module: str, seconds: float) -> str:
    """Return the command that tests `module`, at first on SQLite alone. After `seconds`, its fixtures are torn down."""
    tests = next(tests for pattern, tests in TESTS.items() if fnmatch.fnmatch(module, pattern)).split()
    limit = f"timeout --foreground --signal=INT --kill-after=30 {seconds:.0f}"
    passes = [shlex.join([*PYTEST, *tests, "-k", words]) for words in ("not postgresql", "postgresql")]
    # Exit code 5 says that a pass has no test.
    script = " && ".join(f"{{ {limit} {command} || [ $? = 5 ]; }}" for command in passes)
    return shlex.join(["sh", "-c", script])


def run_unchanged(module: str) -> float:
    """Run the tests of `module` without a mutant; return how long they took. They have to pass."""
    started = time.monotonic()
    done = subprocess.run(shlex.split(command_for(module, 600)), capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"The tests of {module} fail without a mutant:\n{done.stdout[-3000:]}")
    seconds = time.monotonic() - started
    print(f"{module}: its tests pass, in {seconds:.0f} s", flush=True)
    return seconds


def is_caught(mutant: WorkItem, seconds: float) -> bool:
    """Return whether a test notices `mutant`, whose module's tests take `seconds`; print it if none does."""
    limit = 20 + 3 * seconds
    result = mutate_and_test(mutant.mutations, command_for(module_of(mutant), limit), 3 * limit)
    is_good = result.is_killed or is_named(module_of(mutant), result.diff)
    line = f"{module_of(mutant)}:{mutant.mutations[0].start_pos[0]} {mutant.mutations[0].operator_name}"
    print(f"caught {line}" if is_good else f"SURVIVED {line}\n{result.diff}\n", flush=True)
    return is_good


def is_named(module: str, difference: str) -> bool:
    """Return whether survivors.toml names the change of `module`."""
    was, became = (re.findall(rf"^\{sign}(?!\{sign})[ \t]*(.+)$", difference, re.MULTILINE) for sign in "-+")
    named = tomllib.loads(SURVIVORS.read_text(encoding="utf-8")).get("survivor", [])
    changed = {"module": module, "was": "\n".join(was), "became": "\n".join(became)}
    return any(changed.items() <= each.items() for each in named)


if __name__ == "__main__":
    sys.exit(main())
