"""People who add, edit and delete users at two servers at once, while a killer SIGKILLs the servers at random.

Afterwards the database must hold what was acknowledged, all of it and nothing else.

__main__.py   the command, and the tables it prints
ledger.py     what each write was answered, and whether the database agrees
clients.py    a browser, and the person at it
servers.py    pserve processes over one database
storm.py      all of it together, for one database
"""
