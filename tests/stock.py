"""The control: the wiring of the Pylons starter template instead of `myproject.db`. Tests show what it loses."""

import zope.sqlalchemy
from pyramid.config import Configurator
from pyramid.request import Request
from pyramid.tweens import EXCVIEW
from sqlalchemy import create_engine
from sqlalchemy.orm import Session, sessionmaker
from transaction import TransactionManager

from myproject.db.outcome import outcome

# pyramid_tm adds itself around the exception views.
TWEENS = [
    "myproject.web.access.access_tween_factory",
    "myproject.web.errors.refuse_undecodable_path",
    "myproject.web.headers.headers_tween_factory",
    "pyramid_tm.tm_tween_factory",
    "myproject.web.flash.flash_tween_factory",
    "myproject.web.receipts.deleted_already_tween_factory",
    "myproject.db.after_transaction.own_transactions_tween_factory",
    EXCVIEW,
    "myproject.web.limits.refuse_other_hosts",
]


def includeme(config: Configurator) -> None:
    """Do what `models/__init__.py:includeme` of the template does."""
    settings = config.get_settings()
    settings["tm.manager_hook"] = "pyramid_tm.explicit_manager"
    config.include("pyramid_tm")
    config.include("pyramid_retry")
    config.include("myproject.db.after_transaction")
    config.include("myproject.db.after_answer")
    config.include("myproject.db.constraints")
    # For the log: of the stock wiring's transactions it knows nothing.
    config.add_request_method(outcome, property=True)
    factory = sessionmaker(create_engine(settings["sqlalchemy.url"]))
    config.registry["dbsession_factory"] = factory

    def dbsession(request: Request) -> Session:
        return _get_tm_session(factory, request.tm)

    config.add_request_method(dbsession, reify=True)
    config.add_directive("add_reading_route", lambda config, name: None)
    config.add_directive("add_fresh_route", lambda config, name: None)


def _get_tm_session(factory: sessionmaker[Session], tm: TransactionManager) -> Session:
    dbsession = factory()
    zope.sqlalchemy.register(dbsession, transaction_manager=tm)
    return dbsession
