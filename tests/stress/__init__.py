"""Clients add, edit and delete users at two servers while the servers are killed (SIGKILL) at random moments.

Afterwards the database, and its history, must contain exactly the acknowledged writes.

__main__.py   the command, and the table that it prints
ledger.py     the answer to each write, and the comparison with the database
history.py    the comparison with the history
clients.py    a minimal browser, and the person who uses it
servers.py    pserve processes with one database
storm.py      one run over one database
rolling.py    one run behind nginx, whose servers are restarted one by one
takeover.py   one run over a database server whose standby takes over
"""
