"""What the texts of a column look like: numbers written by people, dates, words for nothing.

Pure functions over texts as they stand in a file, so that whoever looks at a table sees what the
reader sees.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

BLANKS = " \u00a0\u202f\u2009"
"""The blanks that part thousands: plain, no-break, narrow and thin."""
UNIT = r"(?:%|‰|€|\$|£|¥|₹|zł|Kč|kr|CHF|EUR|USD|GBP|JPY|Fr\.)"
"""Signs that stand before or behind a number and are no part of it."""
SIGN = r"[+\x{2212}\x{2013}-]"
"""Before a number; people also write the minus of print, or a dash."""
NO_VALUE = "na n/a n.a. #n/a nan null (null) none nil missing unknown k.a. ? - -- --- . .. … *"
MISSING_WORDS = frozenset(NO_VALUE.split())
"""What people write where they have no value, in small letters."""
TRUTHS = ({"true", "false"}, {"yes", "no"}, {"t", "f"}, {"y", "n"})
DECIMALS = (".", ",")
THOUSANDS: tuple[str | None, ...] = (None, ",", ".", " ", "'")
NAMED_MONTH = (
    r"\s*(?:\d{1,2}(?P<sign>[ /.-])[A-Za-z]{3,9}(?P=sign)(?P<year>\d{4}|\d\d)"
    r"|(?P<first>[A-Za-z]{3,9}) \d{1,2}(?P<comma>,?) \d{4})(?P<tail>(?:\D.*)?)$"
)
"""2 Mar 2024, 02-Mar-24, March 2, 2024, in English."""
MOST_MISSING = 0.9
"""Where more texts than this share are no numbers, it is no column of numbers."""
TIMES = (
    ("", ""),
    (r"[T ]\d{1,2}:\d{2}", "%H:%M"),
    (r"[T ]\d{1,2}:\d{2}:\d{2}", "%H:%M:%S"),
    (r"[T ]\d{1,2}:\d{2}:\d{2}\.\d{1,6}", "%H:%M:%S.%f"),
    (r" \d{1,2}:\d{2} ?[AaPp][Mm]", "%I:%M %p"),
    (r" \d{1,2}:\d{2}:\d{2} ?[AaPp][Mm]", "%I:%M:%S %p"),
)
"""A time of day behind a date: as an expression, and as strptime's format."""


@dataclass(frozen=True)
class Numbers:
    """How the numbers of a column are written."""

    decimal: str = "."
    thousands: str | None = None

    @property
    def pattern(self) -> str:
        """A regular expression, for Python and DuckDB, for one number and its unit."""
        point = re.escape(self.decimal)
        whole = r"\d+"
        if self.thousands is not None:
            whole = rf"(?:\d{{1,3}}(?:{self.separator}\d{{3}})+|\d+)"
        number = rf"(?:{whole}(?:{point}\d*)?|{point}\d+)(?:[eE][+-]?\d+)?"
        number = rf"(?:{number}|[iI]nf(?:inity)?)"
        unit = rf"[\s\x{{00a0}}\x{{202f}}]?(?:{UNIT})?"
        return rf"\s*{SIGN}?\s?(?:{UNIT}\s?)?{SIGN}?{number}{unit}\s*"

    @property
    def separator(self) -> str:
        """A regular expression for what parts thousands."""
        if self.thousands == " ":
            return r"[ \x{00a0}\x{202f}\x{2009}]"
        if self.thousands == "'":
            return "['’]"
        return re.escape(self.thousands or "")

    def matches(self, text: str) -> bool:
        """Whether the text is one number written so."""
        return re.fullmatch(_for_python(self.pattern), text) is not None

    @property
    def options(self) -> dict[str, str]:
        """The options of a dataset that read such numbers, where they are not the default."""
        chosen = {"decimal": self.decimal} if self.decimal != "." else {}
        return chosen | ({"thousands": self.thousands} if self.thousands is not None else {})


def numbers_written(texts: Sequence[str]) -> tuple[Numbers, list[str]] | None:
    """How the numbers of a column are written, and the words in it for a missing value.

    None where the column is of something else.
    """
    words = sorted({text for text in texts if text.strip().lower() in MISSING_WORDS})
    present = [text for text in texts if text.strip() and text not in words]
    if len(present) <= (1 - MOST_MISSING) * len(texts) or not present:
        return None
    for thousands in THOUSANDS:
        for decimal in DECIMALS:
            form = Numbers(decimal, thousands)
            if decimal != thousands and all(map(form.matches, present)):
                return _grouped(form, present), words
    return None


def _grouped(form: Numbers, texts: Sequence[str]) -> Numbers:
    """The form; with thousands where every comma has three digits behind it: 1,234 and 999."""
    other = Numbers(".", ",")
    if form != Numbers(","):
        return form
    return other if all(map(other.matches, texts)) and may_be_thousands(texts, ",") else form


def may_be_thousands(texts: Iterable[str], sign: str) -> bool:
    """Whether the sign parts thousands in all numbers that have it, and some are without."""
    return all(re.search(rf"(^|[^\d.,])[1-9]\d{{0,2}}(\{sign}\d{{3}})*(\D|$)", t) for t in texts)


def is_plain(texts: Iterable[str]) -> bool:
    """Whether all are numbers as a computer writes them, without unit."""
    return all(re.fullmatch(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", t) for t in texts)


def bare(texts: Iterable[str]) -> list[str]:
    """The numbers without the units that stand beside them."""
    return [re.sub(UNIT, "", text) for text in texts]


def units_in(texts: Iterable[str]) -> list[str]:
    """The units that stand beside the numbers."""
    return sorted({unit for text in texts for unit in re.findall(UNIT, text)})


def are_truths(texts: Iterable[str]) -> bool:
    """Whether all are one of two words for a truth value."""
    words = {text.strip().lower() for text in texts}
    return any(words <= pair for pair in TRUTHS)


def date_formats(texts: Sequence[str]) -> list[str]:
    """The formats of strptime by which all texts are dates; several where they leave a doubt.

    Year, month (its English name, too) and day, and maybe a time; no year of two digits behind
    points, which may be a version.
    """
    forms = [
        form for form in _date_formats(texts[:1]) if all(is_date(text, form) for text in texts)
    ]
    # May is short and long.
    return [form for form in forms if form.replace("%B", "%b") not in forms or "%B" not in form]


def _date_formats(texts: Sequence[str]) -> Iterator[str]:
    for text in texts:
        parted = re.match(r"\s*\d{1,4}([/.-])\d{1,2}\1\d{1,4}(.*)", text)
        if parted is None:
            named = re.match(NAMED_MONTH, text)
            if named is None:
                return
            days, tail = _days_with_names(named), named["tail"].rstrip()
        else:
            sign = parted[1]
            days = [f"%d{sign}%m{sign}%Y", f"%m{sign}%d{sign}%Y", f"%Y{sign}%m{sign}%d"]
            if sign != "." or re.match(r"\d\d\.\d\d\.\d\d(\D|$)", text):
                days += [f"%d{sign}%m{sign}%y", f"%m{sign}%d{sign}%y"]
            tail = parted[2].rstrip()
        for expression, clock in TIMES:
            if re.fullmatch(expression, tail):
                if clock.endswith(" %p") and not re.search(r"\d ", tail[3:]):
                    clock = clock.replace(" %p", "%p")
                yield from (f"{day}{tail[:1]}{clock}" if clock else day for day in days)


def _days_with_names(named: re.Match[str]) -> list[str]:
    """The formats of a day whose month is a name."""
    if named["first"]:
        return [f"{month} %d{named['comma']} %Y" for month in ("%b", "%B")]
    sign = named["sign"]
    years = ["%Y"] if len(named["year"]) == 4 else ["%y"]
    return [f"%d{sign}{month}{sign}{year}" for month in ("%b", "%B") for year in years]


def is_date(text: str, form: str) -> bool:
    """Whether the text is a date of this format of strptime's."""
    try:
        datetime.strptime(text.strip(), form)
    except ValueError:
        return False
    return True


def has_time(form: str) -> bool:
    """Whether the format says a time of day."""
    return any(sign in form for sign in ("%H", "%I", "%X", "%c", "%M"))


def counts_up(cells: Sequence[str]) -> bool:
    """Whether the cells are whole numbers, each one more than the last; the first may be blank.

    So are names of columns that a program gave, and hardly a row of values.
    """
    rest = list(cells[1:] if cells and not cells[0].strip() else cells)
    if len(rest) < 2 or not all(cell.strip().isdecimal() for cell in rest):
        return False
    numbers = [int(cell) for cell in rest]
    steps = {after - before for before, after in pairwise(numbers)}
    return steps == {1} and (len(rest) < len(cells) or len(rest) > 2)


def is_row_number(rows: int, missing: int, distinct: int | None, low: str, high: str) -> bool:
    """Whether whole numbers of so many rows only count them.

    distinct: about how many there are.
    """
    try:
        span = int(high) - int(low) + 1
    except ValueError:
        return False
    return span == rows > 20 and not missing and (distinct or 0) > 0.8 * rows


def _for_python(pattern: str) -> str:
    return re.sub(r"\\x\{([0-9a-f]{4})\}", r"\\u\1", pattern)
