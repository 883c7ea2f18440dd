"""Speed and memory: ours beside the stock wiring and a bare function, and the list among few and many users.

__main__.py    the command: reads the options, measures, prints
tables.py      the Markdown tables that it prints
people.py      made-up users, the same at every size
databases.py   databases with these users, temporary or cached for the next run
filling.py     loads millions of users within minutes
servers.py     waitress processes: ours, stock, bare
client.py      an HTTP client that sends prepared bytes over one open connection
requests.py    seconds for each request of the list and of an edit, server beside server
sessions.py    seconds for session and transaction, without a server
memory.py      resident memory of a server process after many requests
lists.py       seconds for every kind of list and for adding a user, among few and many users
history.py     seconds of the pages of the history, among few and many changes
ledger.py      fills the history with millions of changes within minutes
edits.py       seconds for an edit, beside an earlier version
undo.py        seconds for a change of many users, and for undoing it
imports.py     seconds of an import, beside the bare driver and django-import-export (django_import.py)
standby.py     what pages that are read from a standby cost it and the primary
peers.py       serves ours for a comparison with other admin interfaces
"""
