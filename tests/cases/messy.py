"""The messy table of a newcomer: every quirk of an export from an office, in one file."""

from __future__ import annotations

import random
from datetime import date, timedelta
from pathlib import Path

HEADER = "Kunde;Alter (J.);Datum;Umsatz;order;Stadt;Aktiv;größe;gekauft"


def write(file: Path, rows: int = 3000, label: bool = True, seed: int = 1) -> None:
    """Write it: a BOM, ends of lines as Windows has them, and what people write."""
    draw = random.Random(seed)
    lines = [HEADER if label else HEADER.removesuffix(";gekauft")]
    for number in range(rows):
        age = str(draw.randint(18, 80))
        day = date(2023, 1, 1) + timedelta(days=draw.randint(0, 600))
        sales = draw.uniform(10, 9000)
        active = draw.choice(["yes", "no"])
        chance = 0.1 + 0.3 * (int(age) > 50) + 0.3 * (sales > 4500) + 0.2 * (active == "yes")
        bought = "yes" if draw.random() < chance else "no"
        written = f"{sales:,.2f} €".replace(",", " ").replace(".", ",")
        cells = [
            str(1000 + number),
            draw.choice(["NA", "?", "-"]) if draw.random() < 0.05 else age,
            f"{day:%d.%m.%Y}",
            draw.choice(["NA", "-"]) if draw.random() < 0.03 else written,
            str(draw.randint(1, 12)),
            draw.choice(["Köln", "Bonn", "Aachen", "?"]),
            active,
            f"{draw.gauss(170, 10):.1f}".replace(".", ","),
        ]
        lines.append(";".join([*cells, bought] if label else cells))
    file.write_bytes(b"\xef\xbb\xbf" + "\r\n".join([*lines, ""]).encode())
