"""Thousands of requests that no browser sends, at whatever pages, forms and parameters the application has."""
