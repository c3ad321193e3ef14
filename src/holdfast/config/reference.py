"""The reference file: what neither venue nor configuration tells of an instrument, and when it was last looked at.

Groups, average daily volumes, price bands, and the venue's sessions as calendars with holidays and early closes. Times
of a calendar are the venue's own, in its zone; the core gets them as wall times, since it knows no zones.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct, field

from holdfast.config.errors import ConfigError
from holdfast.config.hours import BadHours, read_spans
from holdfast.config.schema import Section
from holdfast.config.toml import INSTRUMENT, NAME, Document, owner_only, read_text, shown
from holdfast.config.values import Amount
from holdfast.vocab.events import ReferenceRead
from holdfast.vocab.instruments import InstrumentSpec
from holdfast.vocab.reference import Calendar, InstrumentReference
from holdfast.vocab.units import NS_PER_S, units_ceil, units_floor

HORIZON_DAYS: Final = 60  # sessions are told for so long; a running bot reads the file again once a day
_AS_OF_MIN: Final = datetime(2000, 1, 1, tzinfo=UTC)
_AHEAD_MAX: Final = timedelta(days=1)  # of clocks and zones
_WHOLE_MAX: Final = 1 << 62  # ticks or lots: beyond it no journal takes a number
_CLOCK: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")


class CalendarSection(Section, frozen=True, kw_only=True):
    """``[calendar.NAME]``: a venue's week, in its own zone. ``early_closes``: a date to the time it closes that day.

    A span that ends at or before its beginning ends on the next day; holidays and early closes go by the day it opens.
    """

    zone: str
    week: list[str]
    holidays: list[str] = field(default_factory=list)
    early_closes: dict[str, str] = field(default_factory=dict)


class InstrumentSection(Section, frozen=True, kw_only=True):
    """``[instrument.NAME]``. ``adv`` in base asset, bands in quote asset. Without ``calendar``: around the clock."""

    group: str
    adv: Amount | None = None
    calendar: str = ""
    band_low: Amount | None = None
    band_high: Amount | None = None


class ReferenceFile(Struct, frozen=True, kw_only=True):
    """A reference file that was read and found whole."""

    path: str
    digest: str
    as_of: datetime
    calendars: dict[str, CalendarSection]
    instruments: dict[str, InstrumentSection]

    def missing(self, instruments: Iterable[str]) -> list[str]:
        """Those of these instruments that it does not tell of."""
        return [name for name in instruments if name not in self.instruments]


def read_reference(path: Path) -> ReferenceFile:
    """Read it. Errors: ConfigError with a line for each problem, naming file, line and key."""
    text = read_text(path)
    document = Document(text, where=shown(path))
    owner_only(path, secret=False)
    document.allow(document.root, (), known=("as_of", "calendar", "instrument"))
    as_of = _as_of(document)
    calendars: dict[str, CalendarSection] = {}
    for name, raw in document.named_tables(("calendar",), pattern=NAME).items():
        section = document.convert(_plain_dates(raw), CalendarSection, ("calendar", name))
        if section is not None:
            _check_calendar(document, name, section)
            calendars[name] = section
    instruments: dict[str, InstrumentSection] = {}
    for name, raw in document.named_tables(("instrument",), pattern=INSTRUMENT, required=True).items():
        one = document.convert(raw, InstrumentSection, ("instrument", name))
        if one is not None:
            _check_instrument(document, name, one)
            instruments[name] = one
    document.finish()
    return ReferenceFile(
        path=str(path),
        digest=hashlib.sha256(text.encode()).hexdigest(),
        as_of=as_of,
        calendars=calendars,
        instruments=instruments,
    )


def _as_of(document: Document) -> datetime:
    raw = document.root.get("as_of")
    if isinstance(raw, datetime) and raw.tzinfo is not None:
        if _AS_OF_MIN <= raw <= datetime.now(tz=UTC) + _AHEAD_MAX:
            return raw
        document.problem(("as_of",), "lies in the future, or before 2000: nobody looked then")
        return _AS_OF_MIN
    document.problem(
        ("as_of",),
        "expected when somebody last looked at all of this, with its zone, such as 2026-01-31T12:00:00Z",
    )
    return _AS_OF_MIN


def _plain_dates(raw: object) -> dict[str, object]:
    """TOML's own dates as texts: both ways of writing a holiday are good."""
    found = dict(raw) if isinstance(raw, dict) else {}
    if isinstance(found.get("holidays"), list):
        found["holidays"] = [one.isoformat() if isinstance(one, date) else one for one in found["holidays"]]
    return found


def _check_calendar(document: Document, name: str, calendar: CalendarSection) -> None:
    key = ("calendar", name)
    try:
        ZoneInfo(calendar.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        document.problem((*key, "zone"), f"no time zone is called {calendar.zone!r:.60}")
    try:
        read_spans(calendar.week)
    except BadHours as error:
        document.problem((*key, "week"), str(error))
    days = [("holidays", day) for day in calendar.holidays]
    days += [("early_closes", day) for day in calendar.early_closes]
    for where, day in days:
        if _day(day) is None:
            document.problem((*key, where), f"expected a date such as 2026-12-25, got {day!r:.40}")
    for at in calendar.early_closes.values():
        if _CLOCK.fullmatch(at) is None:
            document.problem((*key, "early_closes"), f"expected a time such as 13:00, got {at!r:.40}")


def _check_instrument(document: Document, name: str, one: InstrumentSection) -> None:
    key = ("instrument", name)
    if re.fullmatch(NAME, one.group) is None:
        document.problem(
            (*key, "group"), f"expected a name of letters, digits, _ or -, got {one.group!r:.40}"
        )
    if one.calendar:
        known = document.root.get("calendar")
        if not (isinstance(known, dict) and one.calendar in known):
            document.problem((*key, "calendar"), f"there is no [calendar.{one.calendar:.40}]")
    if one.band_low is not None and one.band_high is not None and one.band_low.number >= one.band_high.number:
        document.problem((*key, "band_low"), f"expected less than band_high ({one.band_high})")


def _day(text: str) -> date | None:
    """None for another way of writing a date too: sessions look their day up by this one text."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if day.isoformat() == text else None


def as_event(
    file: ReferenceFile,
    specs: Sequence[InstrumentSpec],
    *,
    wall_ns: int,
    mono_ns: int,
    horizon_days: int = HORIZON_DAYS,
    always_fresh: bool = False,
) -> ReferenceRead:
    """The file as the core is told it, in ticks, lots and wall times.

    ``specs``: of the instruments that are traded; what else the file tells is left out. ``always_fresh``: as if looked
    at when it no longer matters, for a backtest, whose time is not the file's. Errors: ConfigError for a number that an
    instrument cannot express.
    """
    problems: list[str] = []
    rows = [_row(file, spec, problems) for spec in specs if file.instruments.get(spec.instrument) is not None]
    if problems:
        raise ConfigError(*problems)
    wanted = {row.calendar for row in rows if row.calendar}
    today = datetime.fromtimestamp(wall_ns // NS_PER_S, tz=UTC).date()
    return ReferenceRead(
        wall_ns=wall_ns,
        mono_ns=mono_ns,
        as_of_wall_ns=_ns(file.as_of) + (horizon_days * 366 * 86_400 * NS_PER_S if always_fresh else 0),
        digest=file.digest,
        instruments=tuple(rows),
        calendars=tuple(
            Calendar(name=name, opens=sessions(file.calendars[name], since=today, days=horizon_days))
            for name in sorted(wanted)
        ),
    )


def _row(file: ReferenceFile, spec: InstrumentSpec, problems: list[str]) -> InstrumentReference:
    one = file.instruments[spec.instrument]
    tick = Decimal(spec.tick)
    where = f"{shown(Path(file.path))}: instrument.{spec.instrument}"
    for key, amount, asset in (
        ("adv", one.adv, spec.base_asset),
        ("band_low", one.band_low, spec.quote_asset),
        ("band_high", one.band_high, spec.quote_asset),
    ):
        if amount is not None and amount.unit and amount.unit != asset:
            problems.append(f"{where}.{key}: expected an amount of {asset}, got {amount}")
    adv = 0 if one.adv is None else units_floor(str(one.adv.number), Decimal(spec.lot))
    if one.adv is not None and adv < 1:
        problems.append(f"{where}.adv: {one.adv} is less than one lot ({spec.lot} {spec.base_asset})")
    # against us: the band that is left is never wider than the one that was written
    low = 0 if one.band_low is None else units_ceil(str(one.band_low.number), tick)
    high = 0 if one.band_high is None else units_floor(str(one.band_high.number), tick)
    for key, count in (("adv", adv), ("band_low", low), ("band_high", high)):
        if count > _WHOLE_MAX:
            problems.append(f"{where}.{key}: beyond all bounds")
    if one.band_high is not None and high < max(low, 1):
        problems.append(f"{where}.band_high: no price of {spec.instrument} is within the bands")
    return InstrumentReference(
        instrument=spec.instrument,
        group=one.group,
        adv_lots=adv,
        calendar=one.calendar,
        band_low_ticks=low,
        band_high_ticks=high,
    )


def sessions(calendar: CalendarSection, *, since: date, days: int) -> tuple[tuple[int, int], ...]:
    """Every session that opens from the day before ``since`` on, for so many days: (opens, closes) as wall times."""
    zone = ZoneInfo(calendar.zone)
    spans = read_spans(calendar.week)
    found: list[tuple[int, int]] = []
    for offset in range(-1, days + 1):
        day = since + timedelta(days=offset)
        if day.isoformat() in calendar.holidays:
            continue
        early = calendar.early_closes.get(day.isoformat())
        for span in spans:
            if span.weekday == day.weekday():
                opens, closes = _ns(_at(day, span.begin, zone)), _ns(_at(day, span.end, zone))
                if early is not None:
                    closes = min(closes, _ns(datetime.combine(day, time.fromisoformat(early), tzinfo=zone)))
                if opens < closes:
                    found.append((opens, closes))
    return _joined(sorted(found))


def _at(day: date, minute: int, zone: ZoneInfo) -> datetime:
    whole_days, minute = divmod(minute, 24 * 60)
    clock = time(minute // 60, minute % 60)
    return datetime.combine(day + timedelta(days=whole_days), clock, tzinfo=zone)


def _joined(spans: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    joined: list[tuple[int, int]] = []
    for opens, closes in spans:
        if joined and opens <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], closes))
        else:
            joined.append((opens, closes))
    return tuple(joined)


def _ns(moment: datetime) -> int:
    return int(moment.timestamp()) * NS_PER_S
