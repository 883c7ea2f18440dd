"""Users from a file: its rows, the rules of their fields, a plan that shows what would happen, and the plan applied.

`stage` reads the file and applies the rules (reading.py, columns.py, staging.py), `make_plan` compares the result with
the records (planning.py). Both write a file of SQLite of their own, and lock nothing. `apply` writes the records by a
few statements for thousands of rows, in the caller's transaction (applying.py).
"""
