"""The control: the wiring of the Pylons starter template, in place of `myproject.db`, for what it loses."""

import zope.sqlalchemy
from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker


def includeme(config):
    """Do what `models/__init__.py:includeme` of the template does."""
    settings = config.get_settings()
    settings["tm.manager_hook"] = "pyramid_tm.explicit_manager"
    config.include("pyramid_tm")
    config.include("pyramid_retry")
    config.include("myproject.db.after_transaction")
    config.include("myproject.db.after_answer")
    factory = sessionmaker(create_engine(settings["sqlalchemy.url"]))
    config.registry["dbsession_factory"] = factory
    config.add_request_method(lambda request: _get_tm_session(factory, request.tm), "dbsession", reify=True)


def _get_tm_session(factory, tm):
    dbsession = factory()
    zope.sqlalchemy.register(dbsession, transaction_manager=tm)
    return dbsession
