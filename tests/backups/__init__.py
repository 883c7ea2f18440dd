"""Backups of both databases: saved under load, restored, refused."""
