"""A scanner of web applications, wapiti, against the signed-in site: `make scan`.

__main__.py    the command: a throw-away site, the scan, and the verdict
wapiti.py      the crawl, the forms made ready, the attacks, and the report
verdict.py     what is found against what docs/security.md explains
"""
