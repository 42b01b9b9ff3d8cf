"""A chart as a file: SVG, PNG, PDF without a browser, or a page that needs no other file."""

from __future__ import annotations

import html
import json
import re
from typing import Any

from warehouse.figures.style import CONFIG

DENSITY = 2.0
"""Pixels of a PNG for each point of the chart."""
FORMATS = ("svg", "png", "pdf", "html", "json")
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data: blob:;
 style-src 'unsafe-inline'; script-src 'unsafe-inline' 'unsafe-eval'">
<style>body {{ font-family: {font}; margin: 1.5rem }}</style></head>
<body><div id="figure"></div><script>{library}</script>
<script>vegaEmbed("#figure", {spec}, {{actions: false, renderer: "svg"}})</script></body></html>
"""


def render(chart: Any, form: str, title: str = "") -> bytes:
    """The chart in one of FORMATS."""
    import vl_convert

    spec = chart.to_dict(validate=False)
    if form == "svg":
        return str(vl_convert.vegalite_to_svg(spec)).encode()
    if form == "png":
        return bytes(vl_convert.vegalite_to_png(spec, scale=DENSITY))
    if form == "pdf":
        return bytes(vl_convert.vegalite_to_pdf(spec))
    if form == "json":
        return json.dumps(spec, indent=1).encode()
    return PAGE.format(
        title=html.escape(title), font=CONFIG["font"], library=library(), spec=in_script(spec)
    ).encode()


def library() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script that does not end its element."""
    import vl_convert

    text = str(vl_convert.javascript_bundle())  # type: ignore[call-arg]
    # In its strings and patterns alike, a slash may be escaped.
    return re.sub("</(?=script)", r"<\\/", text, flags=re.IGNORECASE)


def in_script(value: Any) -> str:
    """JSON as it may stand in a script of a page: no sign in it begins or ends an element."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text
