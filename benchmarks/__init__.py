"""What a request costs: ours against the stock wiring, against a bare function, and among few people and many.

__main__.py    the command, and the tables it prints
people.py      the people, the same at every size
databases.py   databases with these people, thrown away or kept for the next time
filling.py     millions of people into a database within minutes
servers.py     waitress processes: ours, stock, bare
client.py      one browser that never waits: prebuilt bytes over one open connection
requests.py    seconds for each request of a list and an edit, server beside server
sessions.py    seconds in session and transaction, without a server
memory.py      what a server process holds after many requests
lists.py       seconds of every way to look at the list, and of adding a user, among 10,000 and among a million
peers.py       ours, served for a comparison with other admin interfaces
"""
