from sqlalchemy.orm import configure_mappers

from myproject.db import engine_from_config as get_engine
from myproject.db import get_session_factory, get_tm_session

from .page import Page
from .user import User

configure_mappers()

__all__ = ["Page", "User", "get_engine", "get_session_factory", "get_tm_session"]


def includeme(config):
    config.include("myproject.db")
