"""The page: `python -m warehouse ui`.

`feed` reads a snapshot and knows no toolkit, `queries/` holds its SQL, `guard` says who may look;
the rest draws with NiceGUI (extra `ui`), a file a page. Nothing outside of this room imports it,
but for the one command.
"""
