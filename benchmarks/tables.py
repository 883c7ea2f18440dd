"""The tables that `python -m benchmarks` prints, in Markdown, each figure beside its target."""

from .bulk import BARE, CHANGED
from .exports import Figures
from .lists import FIRST_PAGE, OVERVIEW
from .memory import EARLY_REQUESTS
from .monitoring import LINES, NEITHER, WIRINGS
from .posts import Figures as FiguresOfPosts
from .requests import PAGES
from .standby import Figures as FiguresOfStandby

# Upper limits, as ratios of times.
LIMITS = {
    ("GET", "SQLite", "bare"): 10,
    ("GET", "SQLite", "stock"): 1.2,
    ("GET", "PostgreSQL", "stock"): 1.2,
    ("POST", "SQLite", "stock"): 1.0,
    ("POST", "PostgreSQL", "stock"): 1.0,
}
MONITORING_LIMIT = 0.05  # of the time of the list
GROWTH_LIMIT = 1.5  # from few users to many
GROWTH_LIMITS = {"search for several words": 3}
OVERVIEW_LIMIT = 1.5  # in multiples of the first page of the list
MEMORY_GROWTH_LIMIT_MB = 10
EDIT_LIMIT = 0.8  # of the requests per second of an earlier version
BULK_LIMIT = 1.5  # in multiples of the bare UPDATE
EXPORT_LIMIT = 0.5  # of the rows per second of the bare driver
FIRST_BYTE_LIMIT = 0.2  # seconds
EXPORT_MEMORY_LIMIT_MB = 50  # above an idle server
POSTS_MEMORY_LIMIT_MB = 50  # above an idle server
UNDO_LIMIT = 2  # in multiples of the change
IMPORT_LIMIT = 2.5  # in multiples of the bare driver: 40 % of its rows per second
PLACES = ("server", "primary", "standby")
DRY_RUN_LIMIT = 1.0  # in multiples of the apply after it
DJANGO_LIMIT = 0.33  # in multiples of django-import-export

# Groups of the operations of `lists`, by how their names begin; the first that fits counts.
GROUPS = {
    "by ": "pages of the list, by any column",
    "search, four": "search for several words",
    "search and filter": "search with a filter",
    "search": "search for one word or letter",
    "filters": "two filters",
    "filter": "one filter",
    "how many": "counts beside the filters",
}

Place = tuple[str, int]  # kind of database, number of users


def print_requests(seconds: dict[tuple[str, str, str], float]) -> None:
    """Print requests per second and the ratios of times, from `{(method, kind of database, wiring): seconds}`."""
    head("Requests per second", "", "bare", "stock", "ours", "ours / bare", "target", "ours / stock", "target")
    for method, kind in _places(seconds):
        bare, stock, ours = (seconds[method, kind, wiring] for wiring in ("bare", "stock", "ours"))
        to_bare, to_stock = round(ours / bare, 1), round(ours / stock, 2)
        row(
            f"{PAGES[method]}, {kind}",
            *(f"{1 / value:,.0f}" for value in (bare, stock, ours)),
            f"{to_bare:.1f}",
            verdict(to_bare, LIMITS.get((method, kind, "bare"))),
            f"{to_stock:.2f}",
            verdict(to_stock, LIMITS.get((method, kind, "stock"))),
        )


def print_monitoring(seconds: dict[tuple[str, str, str], float]) -> None:
    """Print what metrics and access lines cost, from `{(page, kind of database, wiring): seconds}`."""
    added = [wiring for wiring in WIRINGS if wiring != NEITHER]
    head(
        "CPU time of one request, µs", "", NEITHER, *(f"+ {wiring}" for wiring in added), "share of the list", "target"
    )
    for kind in dict.fromkeys(kind for _page, kind, _wiring in seconds):
        page = seconds["the list", kind, NEITHER]
        for method in ("GET", "POST"):
            least = seconds[method, kind, NEITHER]
            costs = [seconds[method, kind, wiring] - least for wiring in added]
            share = round(costs[added.index(LINES)] / page, 3)
            figures = (f"{value * 1e6:,.0f}" for value in (least, *costs))
            row(
                f"{method}, {kind}",
                *figures,
                f"{share:.1%}",
                f"≤ {MONITORING_LIMIT:.0%}: {'met' if share <= MONITORING_LIMIT else 'missed'}",
            )
        row(f"the list, {kind}", f"{page * 1e6:,.0f}", *[""] * (len(added) + 2))


def print_sessions(seconds: dict[tuple[str, str, str], float]) -> None:
    """Print microseconds of session and transaction, from `{(method, kind of database, wiring): seconds}`."""
    head("Session and transaction of one request, µs", "", "stock", "ours", "ours / stock")
    for method, kind in _places(seconds):
        stock, ours = (seconds[method, kind, wiring] for wiring in ("stock", "ours"))
        row(f"{method}, {kind}", f"{stock * 1e6:.0f}", f"{ours * 1e6:.0f}", f"{ours / stock:.2f}")


def _places(seconds: dict[tuple[str, str, str], float]) -> list[tuple[str, str]]:
    return list(dict.fromkeys((method, kind) for method, kind, _ in seconds if kind))


def print_memory(megabytes: dict[str, tuple[float, float]], count: int) -> None:
    """Print resident memory after few and after `count` requests, from `{kind of database: (early, late)}`."""
    head("Resident memory, MB", "", f"after {EARLY_REQUESTS:,}", f"after {count:,}", "growth", "target")
    for kind, (early, late) in megabytes.items():
        growth = round(late - early, 1)
        row(kind, f"{early:.1f}", f"{late:.1f}", f"{growth:.1f}", verdict(growth, MEMORY_GROWTH_LIMIT_MB))


def print_edits(seconds: dict[tuple[str, str, int], float]) -> None:
    """Print requests per second of an earlier version and of ours, from `{(kind, version, clients): seconds}`."""
    head("An edit through the form, requests per second", "", "before", "now", "now / before", "target")
    for kind, count in dict.fromkeys((kind, count) for kind, _, count in seconds):
        before, now = (1 / seconds[kind, version, count] for version in ("before", "now"))
        ratio = round(now / before, 2)
        target = f"≥ {EDIT_LIMIT}: {'met' if ratio >= EDIT_LIMIT else 'missed'}"
        row(f"{kind}, clients at once: {count}", f"{before:,.0f}", f"{now:,.0f}", f"{ratio:.2f}", target)


def print_exports(figures: dict[str, Figures], users: int) -> None:
    """Print the Figures of exports by kind of database."""
    head(
        f"Export of {users:,} users",
        "",
        "bare, rows/s",
        "ours, rows/s",
        "ours / bare",
        "target",
        "first byte, s",
        "target",
        "sparse search, s",
        "memory, MB",
        "target",
    )
    for kind, each in figures.items():
        ratio, first_byte, memory = round(each.ours / each.bare, 2), round(each.first_byte, 3), round(each.megabytes, 1)
        target = f"≥ {EXPORT_LIMIT}: {'met' if ratio >= EXPORT_LIMIT else 'missed'}"
        row(
            kind,
            *(f"{rate:,.0f}" for rate in (each.bare, each.ours)),
            f"{ratio:.2f}",
            target,
            f"{first_byte:.3f}",
            verdict(first_byte, FIRST_BYTE_LIMIT),
            f"{each.sparse:.1f}",
            f"{memory:.1f}",
            verdict(memory, EXPORT_MEMORY_LIMIT_MB),
        )


def print_posts(figures: dict[str, dict[str, FiguresOfPosts]], number: int) -> None:
    """Print the Figures of pages and acts by kind of database."""
    head(f"A person with {number:,} posts of 5 kB", "", "seconds", "others wait, s", "page, kB", "memory, MB", "target")
    for name, kinds in figures.items():
        for kind, each in kinds.items():
            memory = round(each.megabytes, 1)
            limit = verdict(memory, POSTS_MEMORY_LIMIT_MB)
            numbers = f"{each.seconds:.2f}", f"{each.wait:.2f}", f"{each.kilobytes:.0f}", f"{memory:.1f}"
            row(f"{name}, {kind}", *numbers, limit)


def print_undo(seconds: dict[tuple[str, str], tuple[float, float]], users: int) -> None:
    """Print how long changes of many users and their undos take, from `{(change, kind of database): (both)}`."""
    head(f"Undo of {users:,} records, seconds", "", "change", "undo", "ratio", "target")
    for (change, kind), (changed, undone) in seconds.items():
        ratio = round(undone / changed, 2)
        row(f"{change}, {kind}", f"{changed:.1f}", f"{undone:.1f}", f"{ratio:.2f}", verdict(ratio, UNDO_LIMIT))


def print_bulk(seconds: dict[tuple[str, str], float], users: int) -> None:
    """Print how long each step of a bulk role change takes, from `{(step, kind of database): seconds}`."""
    head(f"Another role for {users:,} selected users, seconds", "", "seconds", "of the bare UPDATE", "target")
    for (step, kind), time in seconds.items():
        ratio = round(time / seconds[BARE, kind], 2)
        row(f"{step}, {kind}", f"{time:.2f}", f"{ratio:.2f}", verdict(ratio, BULK_LIMIT if step == CHANGED else None))


def print_standby(figures: dict[str, FiguresOfStandby]) -> None:
    """Print what the list costs, by where it is read from."""
    head("The list, read from a standby, milliseconds", "", "answer", *(f"processor of the {name}" for name in PLACES))
    for where, times in figures.items():
        row(where, *(f"{1000 * seconds:.2f}" for seconds in times))


def print_imports(seconds: dict[tuple[str, str], float], rows: int) -> None:
    """Print how long an import of `rows` users takes, from `{(what, kind of database): seconds for each row}`."""
    ways = "bare", "import", "dry run", "django", "django, bulk"
    head(
        f"Import of {rows:,} users, rows per second",
        *("", "bare driver", "import", "dry run", "django-import-export", "the same in bulk, without a dry run"),
        *("import / bare, time", "target", "dry run / apply", "target", "import / django-import-export", "target"),
    )
    for kind in dict.fromkeys(kind for _, kind in seconds):
        bare, whole, dry_run, django, _ = times = [seconds[way, kind] for way in ways]
        ratios = (
            (whole / bare, IMPORT_LIMIT),
            (dry_run / (whole - dry_run), DRY_RUN_LIMIT),
            (whole / django, DJANGO_LIMIT),
        )
        cells = [cell for ratio, limit in ratios for cell in (f"{ratio:.2f}", verdict(round(ratio, 2), limit))]
        row(kind, *(f"{1 / each:,.0f}" for each in times), *cells)


def print_lists(seconds: dict[str, dict[Place, float]]) -> None:
    """Print each operation among few users and many, then a summary by group, from `{operation: {place: seconds}}`."""
    sizes = _print_operations("Lists: milliseconds of a request, by the number of users", seconds)
    _print_groups(seconds, sizes)
    _print_overview(seconds[OVERVIEW], seconds[FIRST_PAGE])


def print_history(seconds: dict[str, dict[Place, float]]) -> None:
    """Print each page of the history among few changes and many, from `{page: {place: seconds}}`."""
    _print_operations("The history: milliseconds of a request, by the number of changes", seconds)


def _print_operations(title: str, seconds: dict[str, dict[Place, float]]) -> dict[str, list[int]]:
    """Print the time of each operation at both sizes, and the ratio; return the sizes by kind of database."""
    sizes = _sizes(next(iter(seconds.values())))
    head(title, "", *(cell for kind in sizes for cell in _size_titles(kind, sizes[kind])), "target")
    for operation, times in seconds.items():
        growths = [round(times[kind, many] / times[kind, few], 2) for kind, (few, *_, many) in sizes.items()]
        cells = [
            cell
            for (kind, both), growth in zip(sizes.items(), growths, strict=True)
            for cell in [*(f"{times[kind, size] * 1000:.1f}" for size in both), f"{growth:.2f}"]
        ]
        row(operation, *cells, verdict(max(growths), GROWTH_LIMITS.get(group_of(operation), GROWTH_LIMIT)))
    return sizes


def _print_overview(overview: dict[Place, float], first_page: dict[Place, float]) -> None:
    head("Milliseconds of the overview", "", "overview", "first page of the list", "ratio", "target")
    for (kind, size), time in overview.items():
        ratio = round(time / first_page[kind, size], 2)
        times = (f"{seconds * 1000:.1f}" for seconds in (time, first_page[kind, size]))
        row(f"{kind}, {size:,}", *times, f"{ratio:.2f}", verdict(ratio, OVERVIEW_LIMIT))


def _print_groups(seconds: dict[str, dict[Place, float]], sizes: dict[str, list[int]]) -> None:
    groups: dict[str, list[dict[Place, float]]] = {}
    for operation, times in seconds.items():
        groups.setdefault(group_of(operation), []).append(times)
    titles = [cell for kind, (*_, many) in sizes.items() for cell in (f"{kind}, {many:,}", "largest ratio")]
    head("Lists by group: milliseconds of its fastest and slowest operation", "", "operations", *titles, "target")
    for group, members in groups.items():
        cells, growths = [], []
        for kind, (few, *_, many) in sizes.items():
            milliseconds = [times[kind, many] * 1000 for times in members]
            growths.append(round(max(times[kind, many] / times[kind, few] for times in members), 2))
            cells += [f"{min(milliseconds):.1f} to {max(milliseconds):.1f}", f"{growths[-1]:.2f}"]
        row(group, str(len(members)), *cells, verdict(max(growths), GROWTH_LIMITS.get(group, GROWTH_LIMIT)))


def _sizes(times: dict[Place, float]) -> dict[str, list[int]]:
    """Return `{kind of database: [few, many]}`."""
    kinds = dict.fromkeys(kind for kind, _ in times)
    return {kind: sorted(size for each, size in times if each == kind) for kind in kinds}


def _size_titles(kind: str, both: list[int]) -> list[str]:
    return [f"{kind}, {both[0]:,}", *(f"{size:,}" for size in both[1:]), "ratio"]


def group_of(operation: str) -> str:
    """Return the group of an operation of `lists`; an operation that fits none is a group of its own."""
    return next((group for beginning, group in GROUPS.items() if operation.startswith(beginning)), operation)


def verdict(value: float, limit: float | None) -> str:
    """Return whether `value` is within `limit`, as text; nothing if there is no limit."""
    return f"≤ {limit}: {'met' if value <= limit else 'missed'}" if limit else ""


def head(title: str, *cells: str) -> None:
    """Print the title and the heading of a table."""
    print(f"\n{title}\n", flush=True)
    row(*cells)
    row("---", *["--:"] * (len(cells) - 1))


def row(*cells: str) -> None:
    """Print a row of a table."""
    print("| " + " | ".join(cells) + " |", flush=True)
