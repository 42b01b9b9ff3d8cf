"""A report: chosen runs as one page to send, as Markdown, and as single figures.

May import `warehouse.figures` and what lies below; needs the extra `report` for figures.
"""
