"""The rules of undo in plain Python: what `myproject/history/undo` does in SQL, for the stateful test.

`rows` are `{(table, id): {column: value}}`. An `entry` is `{(table, id): (before, after)}`; `before` is `None` if the
record was added, `after` if it was deleted.
"""

import collections

OWNERS = {"posts": "author_id", "saved_views": "user_id"}


def differences(before, after):
    """Return the entry that leads from the rows `before` to the rows `after`."""
    changed = [key for key in before.keys() | after.keys() if before.get(key) != after.get(key)]
    return {key: (before.get(key), after.get(key)) for key in changed}


def are_unique(rows):
    """Return whether the unique indexes accept these rows."""
    emails = [row["email"].lower() for (table, _), row in rows.items() if table == "users" and row["email"]]
    names = [(row["user_id"], row["name"].lower()) for (table, _), row in rows.items() if table == "saved_views"]
    return all(len(values) == len(set(values)) for values in (emails, names))


def are_allowed(rows):
    """Return whether the unique indexes and the foreign keys accept these rows."""
    owners = [row[OWNERS[table]] for (table, _), row in rows.items() if table in OWNERS]
    return are_unique(rows) and all(("users", owner) in rows for owner in owners)


def delete(rows, key, *, with_posts=False):
    """Delete a row; the saved views of a user are deleted with them."""
    rows.pop(key, None)
    tables = ("posts", "saved_views") if with_posts else ("saved_views",)
    if key[0] == "users":
        owned = [other for other, row in rows.items() if other[0] in tables and row[OWNERS[other[0]]] == key[1]]
        for other in owned:
            del rows[other]


class UndoModel:
    """An undo of `entry`, or of `only` one of its records, by `viewer`, when the tables contain `rows`."""

    def __init__(self, rows, entry, viewer, only=None):
        self.rows, self.entry, self.viewer = rows, entry, viewer
        self.has_users = only is None or only[0] == "users"
        wanted = entry if only is None else {key: change for key, change in entry.items() if self._with(only, key)}
        self.outcomes = {key: self._outcome(key, *change) for key, change in wanted.items()}

    def groups(self):
        """Return how many records have the same table, action and outcome."""
        return dict(
            collections.Counter(
                (key[0], action_of(*self.entry[key]), outcome) for key, outcome in self.outcomes.items()
            )
        )

    def rows_after(self, *, changed_too):
        """Return the rows after the undo."""
        applied = ("ready", "changed") if changed_too else ("ready",)
        rows = dict(self.rows)
        chosen = {key: self.entry[key] for key, outcome in self.outcomes.items() if outcome in applied}
        for key, (before, after) in chosen.items():
            if before is not None and after is not None:
                back = {name: before[name] for name in before if before[name] != after[name]}
                rows[key] = {**rows[key], **back}
            elif before is not None:
                rows[key] = before
        for key, (before, _after) in chosen.items():
            if before is None:
                delete(rows, key)
        return rows

    def _with(self, only, key):
        if key == only:
            return True
        if only[0] != "users" or key[0] not in OWNERS or only not in self.entry:
            return False
        (before, after), of_user = self.entry[key], self.entry[only]
        with_user = any(side is None and whole is None for side, whole in zip((before, after), of_user, strict=True))
        return with_user and (after or before)[OWNERS[key[0]]] == only[1]

    def _outcome(self, key, before, after):
        now = self.rows.get(key)
        # The first condition that is true tells the outcome.
        outcomes = {
            "same": now == before,
            "exists": after is None and now is not None,
            "gone": after is not None and now is None,
            "forbidden": not self._is_permitted(key, before, after),
            "owner_missing": before is not None and self._is_owner_missing(key, before, after),
            "email_taken": before is not None and self._is_email_taken(key, before, after),
            "name_taken": before is not None and self._is_name_taken(key, before, after),
            "belongings": before is None and self._has_belongings(key),
            "changed": now != after or (before is None and self._is_changed_with_user(key, after)),
            "ready": True,
        }
        return next(outcome for outcome, is_true in outcomes.items() if is_true)

    def _is_permitted(self, key, before, after):
        table, number = key
        if table == "users":
            return self._may_change_user(number, before, after)
        now = self.rows.get(key)
        owners = {values[OWNERS[table]] for values in (before, after, now) if values}
        is_own = owners == {self.viewer.id}
        if table == "posts":
            return is_own or self.viewer.role != "member"
        was_shared = any(values["for_all"] for values in (before, after) if values)
        if self.viewer.role == "member":
            return is_own and not was_shared and not (now and now["for_all"])
        is_shared = was_shared and (now is None or now["for_all"])
        owner = (after or before)["user_id"]
        with_owner = self._restores_user(owner) if after is None else before is None and self._deletes_user(owner)
        return is_own or (is_shared and self.viewer.role == "admin") or with_owner

    def _may_change_user(self, number, before, after):
        if self.viewer.role == "admin":
            return True
        has_same_role = bool(before and after and before["role"] == after["role"])
        is_own = number == self.viewer.id and has_same_role and before["active"] == after["active"]
        if self.viewer.role == "member":
            return is_own
        now = self.rows.get(("users", number))
        is_admin = now is not None and now["role"] == "admin"
        restores_member = after is None and before["role"] != "admin"
        return is_own or (not is_admin and (has_same_role or before is None or restores_member))

    def _is_owner_missing(self, key, before, after):
        if key[0] not in OWNERS:
            return False
        owner = before[OWNERS[key[0]]]
        is_given = after is None or owner != after[OWNERS[key[0]]]
        return is_given and ("users", owner) not in self.rows and not self._restores_user(owner)

    def _is_email_taken(self, key, before, after):
        if key[0] != "users" or before["email"] is None or (after and before["email"] == after["email"]):
            return False
        email = before["email"].lower()
        holders = [holder for holder, row in self.rows.items() if holder[0] == "users" and row["email"]]
        return any(
            holder != key and self.rows[holder]["email"].lower() == email and not self._loses_email(holder)
            for holder in holders
        )

    def _loses_email(self, key):
        before, after = self.entry.get(key, (None, None))
        if before is None:
            return after is not None
        return after is None or before["email"] != after["email"]

    def _is_name_taken(self, key, before, after):
        if key[0] != "saved_views":
            return False
        columns = ("user_id", "name")
        if after and all(before[name] == after[name] for name in columns):
            return False
        names = [
            (row["user_id"], row["name"].lower())
            for view, row in self.rows.items()
            if view[0] == "saved_views" and view != key
        ]
        return (before["user_id"], before["name"].lower()) in names

    def _has_belongings(self, key):
        belongings = self._belongings(key)
        return any(belonging not in self.entry or self.entry[belonging][0] is not None for belonging in belongings)

    def _has_changed_belongings(self, key):
        added = [belonging for belonging in self._belongings(key) if self.entry.get(belonging, ("", ""))[0] is None]
        return any(self.rows[belonging] != self.entry[belonging][1] for belonging in added)

    def _belongings(self, key):
        if key[0] != "users":
            return []
        return [
            belonging
            for belonging, row in self.rows.items()
            if belonging[0] in OWNERS and row[OWNERS[belonging[0]]] == key[1]
        ]

    def _is_changed_with_user(self, key, after):
        """Return whether an added user has something that was changed, or an added view has such a user."""
        if key[0] != "saved_views":
            return self._has_changed_belongings(key)
        user = ("users", after["user_id"])
        is_changed = self.rows.get(user) != self.entry.get(user, (None, None))[1] or self._has_changed_belongings(user)
        return is_changed and self._puts_user_back(user, "before")

    def _restores_user(self, user_id):
        key = ("users", user_id)
        is_restored = self._puts_user_back(key, "after") and key not in self.rows
        return is_restored and not self._is_email_taken(key, *self.entry[key])

    def _deletes_user(self, user_id):
        return self._puts_user_back(("users", user_id), "before") and not self._has_belongings(("users", user_id))

    def _puts_user_back(self, key, missing):
        if not self.has_users or key not in self.entry:
            return False
        before, after = self.entry[key]
        return {"before": before, "after": after}[missing] is None and self._may_change_user(key[1], before, after)


def action_of(before, after):
    """Return what undoing the change does to the record."""
    if after is None:
        return "restore"
    return "delete" if before is None else "change"
