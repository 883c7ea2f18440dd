"""Mutation tests: small changes of critical code, each of which has to make a test fail."""
