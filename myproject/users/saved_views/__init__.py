"""Views of the list that people save by name, for themselves or for everybody."""
