"""wapiti, in an environment of its own: it crawls the site, its forms are made ready, and it attacks them."""

import contextlib
import json
import os
import pickle
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

WAPITI = Path(sys.prefix, "scan", "bin", "wapiti")
# Those that ask this site and nobody else: the others fetch databases from the network. What is stored is looked for
# at once: the attacks after it write over it, and push it off the first page of a list.
MODULES = [
    ["xss", "permanentxss"],
    ["sql", "exec", "file", "redirect", "crlf", "upload", "csrf", "csp", "http_headers", "cookieflags"],
]
REPORT = "report.json"
# What ends the session, and what takes away the pages to come: a crawler sends each form.
EXCLUDED = ["/signout", "/*/delete", "/*/erase", "/static/*"]
# Pages that no link leads to while there are few rows.
STARTS = ["/users?cursor=x", "/posts?cursor=x"]
# Down to the form that changes a post. Each form has a token of its own: without a limit there is always another one.
DEPTH, CRAWL_SECONDS = 5, 60
# The fields that let a form be saved once only, and fields in which wapiti types what no form accepts.
ONCE = ["form_token", "version"]
ACCEPTED = {"age": "30", "email": ""}


def crawl(url, cookie, folder):
    """Follow the links and send the forms below `url`; return the database of requests that wapiti leaves."""
    starts = [option for path in STARTS for option in ("--start", url + path)]
    options = ["--flush-session", "--module", "", "--depth", DEPTH, "--max-scan-time", CRAWL_SECONDS, *starts]
    run(url, cookie, folder, *options, timeout=2 * CRAWL_SECONDS)
    [history] = folder.glob("*.db")
    return history


def make_ready(history):
    """Let each form be saved every time it is sent, and keep one of those that are alike; return counts: pages, forms.

    An attack is a form of the crawl with one field changed. Sent as it was, each would be answered by "This was saved
    already", and no attack but the first would reach what it attacks.
    """
    with contextlib.closing(sqlite3.connect(history)) as database, database:
        database.create_function("shape", 1, lambda url: re.sub(r"/\d+", "/ID", url))
        database.executemany("DELETE FROM params WHERE name = ?", [(name,) for name in ONCE])
        database.executemany(
            "UPDATE params SET value1 = ? WHERE name = ? AND type = 'POST'",
            [(value, name) for name, value in ACCEPTED.items()],
        )
        # They hold the length of the form as it was.
        database.execute("UPDATE paths SET headers = ? WHERE headers IS NOT NULL", [pickle.dumps({})])
        database.execute("""
            DELETE FROM paths WHERE path_id NOT IN (
                SELECT min(path_id) FROM paths LEFT JOIN (
                    SELECT path_id, group_concat(type || name) AS fields
                    FROM (SELECT * FROM params ORDER BY type, name) GROUP BY path_id
                ) USING (path_id) GROUP BY method, CASE method WHEN 'POST' THEN shape(path) ELSE path END, fields
            )""")
        counts = dict(database.execute("SELECT method, count(*) FROM paths GROUP BY method"))
    return counts.get("GET", 0), counts.get("POST", 0)


def attack(url, cookie, folder, seconds):
    """Attack what the crawl found; return the findings, as wapiti's report has them, each with its `category`."""
    for modules in MODULES:
        # Whatever is put in place of the token is refused alike; the module csrf looks whether it is.
        options = ["--skip-crawl", "--module", ",".join(modules), "--skip", "csrf_token"]
        printed = run(url, cookie, folder, *options, timeout=seconds)
        # A module that it does not know, or that fails, finds nothing either.
        missing = [module for module in modules if f"Launching module {module}\n" not in printed]
        failures = re.findall(r"^Traceback .*|.*were skipped due to network issues", printed, re.MULTILINE)
        if missing or failures:
            raise SystemExit(f"FAILED wapiti: {missing=}, {failures=}; it printed:\n{printed[-2000:]}")
    kinds = json.loads((folder / REPORT).read_text())
    return [
        {"category": category, **finding}
        for kind in ("vulnerabilities", "anomalies", "additionals")
        for category, findings in kinds[kind].items()
        for finding in findings
    ]


def run(url, cookie, folder, *options, timeout):
    """Run wapiti with its files in `folder`; return what it printed.

    Raises `SystemExit` where it fails, or takes longer than `timeout`, in seconds.
    """
    excluded = [option for path in EXCLUDED for option in ("--exclude", url + path)]
    files = ["--store-session", folder, "--store-config", folder / "config", "--format", "json", "--output", REPORT]
    # Its modules look up a host of its makers at the start, unless they are told another.
    alone = ["--no-bugreport", "--dns-endpoint", "localhost"]
    command = [WAPITI, "--url", f"{url}/", "--cookie-value", cookie, *alone, *excluded, *files, *options]
    # No proxy of this machine stands between the two.
    environ = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    log = folder / "wapiti.log"
    try:
        with log.open("wb") as output:
            subprocess.run(
                [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                cwd=folder, env=environ, timeout=timeout, check=True,
            )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        last = log.read_text(errors="replace")[-2000:]
        raise SystemExit(f"FAILED wapiti: {type(error).__name__} within {timeout} s; it printed:\n{last}") from None
    return log.read_text(errors="replace")
