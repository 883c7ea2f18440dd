"""What a request costs: ours against the stock wiring, and against a function that does nothing but answer.

__main__.py    the command, and the tables it prints
databases.py   throw-away databases, each with the same users
servers.py     waitress processes: ours, stock, bare
client.py      one browser that never waits: prebuilt bytes over one open connection
requests.py    seconds for each request of a list and an edit, server beside server
sessions.py    seconds in session and transaction, without a server
memory.py      what a server process holds after many requests
"""
