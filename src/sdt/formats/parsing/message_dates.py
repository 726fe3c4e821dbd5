"""The dates before messages in the exports of messengers, in the spellings of many countries.

    [12/03/2024, 10:15:32] Ann: Hi        12.03.24, 22:15 - Ann: Hi       2024-03-12, 10:15 p.m. - Ann: Hi
    3/12/24, 10:15 PM - Ann: Hi           12.3.2024 klo 22.15 - Ann: Hi   2024년 3월 12일 오후 10:15 - Ann: Hi

Whether 12/3 is in March or in December is decided by the whole file: by numbers that are no months, or else by the
order in which messages only become later. If both readings remain, no date is read.
"""

from __future__ import annotations

import datetime
import itertools
import re
from collections.abc import Sequence

_BEFORE_CLOCK = r"[上下]午|午[前後]|오[전후]"
_HALF = r"[ap]\.?\s?m\.?|[صم](?=\s|\]|$)|öö|ös|π\.?μ\.?|μ\.?μ\."
_CLOCK = rf"(?P<clock>(?:(?:{_BEFORE_CLOCK})\s?)?\d{{1,2}}(?:[:.]\d\d){{1,2}}(?:\s?(?:{_HALF}))?)"
_COLONS = r"(?P<clock>\d{1,2}:\d\d(?::\d\d)?(?:\s?[ap]\.?m\.?)?)"
_DATE = (
    r"(?P<date>\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|\d{4}[./-]\d{1,2}[./-]\d{1,2}|\d{4}\.\s\d{1,2}\.\s\d{1,2}\."
    r"|\d{4}[年년]\s?\d{1,2}[月월]\s?\d{1,2}[日일])"
)
_BETWEEN = r"(?:[,،]?\s+(?:(?:à|at|klo|kl\.?|um|às|a las|alle)\s+)?|(?<=日))"
_FORMS = tuple(
    re.compile(form + r"\s*", re.IGNORECASE)
    for form in (
        rf"\[{_DATE}{_BETWEEN}{_CLOCK}\]",
        rf"{_DATE}{_BETWEEN}{_CLOCK}\s+[-–—]",
        rf"\[?{_DATE},?\s+{_COLONS}(?=\s)",
        rf"\[?{_COLONS},\s+{_DATE}(?:\]|\s+[-–—]|(?=\s))",
    )
)
"""As on an iPhone, as on Android, before a blank, and with the time first."""
_TIME_ALONE = re.compile(r"\[\d{1,2}:\d\d(?::\d\d)?\s?[ap]\.?m\.?\](?=\s*\S)\s*", re.IGNORECASE)
_ANY_HALF = re.compile(rf"{_BEFORE_CLOCK}|{_HALF}", re.IGNORECASE)
_AFTERNOON = re.compile(r"p|下午|午後|오후|م|ös|μ\.?μ", re.IGNORECASE)
_ORDERS = {"day/month/year": (2, 1, 0), "month/day/year": (2, 0, 1), "year/month/day": (0, 1, 2)}
"""The name of an order, and the places of year, month and day in it."""

Stamp = tuple[tuple[int, ...], tuple[int, int, int]]
"""The numbers of a date in the order of the file; hour, minute and second."""


def match_date(line: str) -> tuple[int, Stamp | None] | None:
    """Find a date at the start of a line.

    Returns:
        Where the message begins, and the date with its time; None for a time of day alone. None without a date.

    Example:
        >>> match_date("3/12/24, 10:15 PM - Ann: Hi")
        (20, ((3, 12, 24), (22, 15, 0)))
    """
    if alone := _TIME_ALONE.match(line):
        return alone.end(), None
    if not line[:2].lstrip("[")[:1].isdigit():
        return None
    found = next((match for form in _FORMS if (match := form.match(line))), None)
    if not found:
        return None
    date, clock = found["date"], found["clock"]
    half = _ANY_HALF.search(clock)
    hour, minute, *second = map(int, re.findall(r"\d+", clock))
    if half and hour <= 12:
        hour = hour % 12 + (12 if _AFTERNOON.search(half[0]) else 0)
    return found.end(), (tuple(map(int, re.findall(r"\d+", date))), (hour, minute, second[0] if second else 0))


def resolve_dates(stamps: Sequence[Stamp | None]) -> tuple[list[str | None], bool]:
    """The dates of the messages of a file, as `2024-03-12T22:15:00`.

    Returns:
        The date of each message, None where it has none; and whether the order of day and month is uncertain, so that
        there are no dates.
    """
    given = [stamp for stamp in stamps if stamp is not None]
    readings = {name: [_read(stamp, name) for stamp in given] for name in _ORDERS}
    valid = {name: dates for name, dates in readings.items() if given and None not in dates}
    if any(len(f"{stamp[0][2]}") > 2 for stamp in given) or len(valid) > 1:
        valid.pop("year/month/day", None)  # a year of two digits is the last resort
    later = {name: dates for name, dates in valid.items() if _only_later(dates)}
    certain = later if len(later) == 1 else valid
    if len({tuple(dates) for dates in certain.values()}) > 1 or (given and not certain):
        return [None] * len(stamps), True
    dates = iter(next(iter(certain.values()), []))
    return [None if stamp is None else f"{next(dates):%Y-%m-%dT%H:%M:%S}" for stamp in stamps], False


def _read(stamp: Stamp, order: str) -> datetime.datetime | None:
    """The date in this order; None if the day does not exist. A year of four digits is where it stands."""
    numbers, clock = stamp
    if numbers[0] > 999 and order != "year/month/day":
        return _read(stamp, "year/month/day")
    year, month, day = (numbers[place] for place in _ORDERS[order])
    try:
        return datetime.datetime(year + 2000 if year < 100 else year, month, day, *clock)
    except ValueError:
        return None


def _only_later(dates: Sequence[datetime.datetime | None]) -> bool:
    return all(a <= b for a, b in itertools.pairwise(date for date in dates if date is not None))
