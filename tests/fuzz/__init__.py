"""Fuzzing: thousands of malformed requests for every page, form and parameter of the application."""
