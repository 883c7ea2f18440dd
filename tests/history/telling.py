"""Transactions of the tests whose origin the ledger knows."""

import contextlib

from myproject.history.context import Origin, tell


@contextlib.contextmanager
def told(engine, **origin):
    """Begin a transaction on `engine`, tell where its changes come from, and commit it after the block.

    With it, SQLite has one entry for several statements.
    """
    with engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        tell(connection, Origin(**{"route": "test", **origin}))
        yield connection
        connection.commit()
