"""The time line of a record in lines of text, for a terminal."""

from .events import CONTROL, STATEMENT, Event, Statement


def describe(event: Event) -> str:
    """Return `event` in a line: "  12.3 ms  SELECT … [1]  0.4 ms, 1 row, in users/views.py:42"."""
    is_sql = event.kind in (STATEMENT, CONTROL)
    words = [f"{event.at_ms:8.1f} ms ", "  " * event.depth + (" ".join(event.text.split()) if is_sql else event.kind)]
    if not is_sql and event.text:
        words.append(event.text)
    if isinstance(event, Statement):
        words.append(_describe_result(event))
    if event.place:
        words.append(f"in {event.place}")
    if event.error:
        words.append(f"failed: {event.error}")
    return " ".join(filter(None, words))


def _describe_result(statement: Statement) -> str:
    facts = ["not sent" if statement.took_ms is None else f"{statement.took_ms:.1f} ms"]
    if statement.rows is not None:
        facts.append(f"{statement.rows} row{'' if statement.rows == 1 else 's'}")
    if statement.parameter_sets > 1:
        facts.append(f"{statement.parameter_sets} times")
    parameters = f"{statement.parameters} " if statement.parameters else ""
    return f"{parameters}[{', '.join(facts)}]"
