"""`make scan`: wapiti, a scanner of web applications, attacks the signed-in site.

__main__.py    the command: a throw-away site, the scan, and the verdict
wapiti.py      the crawl, the preparation of the forms, the attacks, and the report
verdict.py     compares the findings with the explanations in docs/security.md
"""
