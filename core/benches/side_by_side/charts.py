"""Charts as SVG, in a light and a dark variant: bars with the intervals of their medians, and lines on logarithmic axes.

Nothing is measured for the layout: texts have columns that are wide enough for them, which the tests see to."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Sequence
from xml.sax.saxutils import escape, quoteattr

from labels import number

WIDTH = 760
MARGIN = 20
LABELS_END = 284  # where the bars begin
BARS_END = 660
ROW = 24
BAR = 14
FONT = 13
TITLE = 17


@dataclass(frozen=True)
class Theme:
    name: str
    page: str
    text: str
    faint: str
    rule: str
    ours: str
    peer: str
    floor: str
    whisker: str
    lines: tuple[str, ...]


LIGHT = Theme("light", "#ffffff", "#1f2328", "#57606a", "#d8dee4", "#c2570c", "#7a8fa6", "#b9c4cf", "#1f2328",
              ("#57606a", "#c2570c", "#1a7f37", "#0969da"))  # fmt: skip
DARK = Theme("dark", "#0d1117", "#e6edf3", "#9aa4af", "#30363d", "#f0883e", "#6e8298", "#465463", "#e6edf3",
             ("#9aa4af", "#f0883e", "#3fb950", "#58a6ff"))  # fmt: skip
THEMES = (LIGHT, DARK)


@dataclass(frozen=True)
class Bar:
    label: str
    family: str  # "ours", "peer" or "floor"
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Panel:
    """Bars on a scale of their own, from zero."""

    title: str
    bars: Sequence[Bar]


@dataclass(frozen=True)
class Line:
    """`points` are x, y and the interval of y."""

    label: str
    points: Sequence[tuple[float, float, float, float]]


def bars(title: str, unit: str, panels: Sequence[Panel], theme: Theme, note: str = "") -> str:
    body = [heading(title, unit, theme)]
    y = 66.0
    for panel in panels:
        body.append(text(MARGIN, y + 12, panel.title, theme.text, weight=600))
        y += 24
        most = max((bar.high or bar.value) for bar in panel.bars)
        for bar in sorted(panel.bars, key=lambda bar: bar.value):
            body += bar_line(bar, y, most, theme)
            y += ROW
        body.append(rule(LABELS_END, y - len(panel.bars) * ROW, LABELS_END, y, theme.rule))
        y += 16
    if note:
        body.append(text(MARGIN, y + 8, note, theme.faint, size=11))
        y += 20
    told = "; ".join(f"{panel.title}: {', '.join(map(said, sorted(panel.bars, key=by_value)))}" for panel in panels)
    return document(title, f"{unit}. {told}", body, round(y + 4), theme)


def by_value(bar: Bar) -> float:
    return bar.value


def said(bar: Bar) -> str:
    return f"{bar.label} {number(bar.value)}"


def bar_line(bar: Bar, y: float, most: float, theme: Theme) -> list[str]:
    middle = y + ROW / 2
    scale = (BARS_END - LABELS_END) / most
    colour = {"ours": theme.ours, "peer": theme.peer, "floor": theme.floor}[bar.family]
    width = max(1.0, bar.value * scale)
    weight = 600 if bar.family == "ours" else 400
    parts = [
        text(LABELS_END - 8, middle + 4.5, bar.label, theme.text, anchor="end", weight=weight),
        f'<rect x="{LABELS_END}" y="{middle - BAR / 2:.1f}" width="{width:.1f}" height="{BAR}" rx="2" fill="{colour}"/>',
        text(WIDTH - MARGIN, middle + 4.5, number(bar.value), theme.text, anchor="end", weight=weight),
    ]
    if bar.low is not None and bar.high is not None:
        left, right = LABELS_END + bar.low * scale, LABELS_END + bar.high * scale
        ends = "".join(f"M{x:.1f} {middle - 4:.1f}V{middle + 4:.1f}" for x in (left, right))
        path = f"M{left:.1f} {middle:.1f}H{right:.1f}{ends}"
        parts.append(f'<path d="{path}" stroke="{theme.whisker}" stroke-width="1.2" fill="none"/>')
    return parts


PLOT_LEFT, PLOT_RIGHT, PLOT_TOP, PLOT_BOTTOM = 70, 560, 74, 374
HEIGHT_OF_LINES = 430


def lines(title: str, unit: str, x_title: str, series: Sequence[Line], theme: Theme) -> str:
    points = [point for line in series for point in line.points]
    xs, lows, highs = ([point[index] for point in points] for index in (0, 2, 3))
    x_axis = Axis(min(xs), max(xs), PLOT_LEFT, PLOT_RIGHT)
    y_axis = Axis(min(lows), max(highs), PLOT_BOTTOM, PLOT_TOP)
    body = [heading(title, unit, theme)]
    for tick in y_axis.ticks():
        y = y_axis.place(tick)
        body.append(rule(PLOT_LEFT, y, PLOT_RIGHT, y, theme.rule))
        body.append(text(PLOT_LEFT - 8, y + 4.5, number_on_axis(tick), theme.faint, anchor="end"))
    for tick in x_axis.ticks():
        x = x_axis.place(tick)
        body.append(rule(x, PLOT_TOP, x, PLOT_BOTTOM, theme.rule))
        body.append(text(x, PLOT_BOTTOM + 20, number_on_axis(tick), theme.faint, anchor="middle"))
    body.append(text((PLOT_LEFT + PLOT_RIGHT) / 2, PLOT_BOTTOM + 42, x_title, theme.faint, anchor="middle"))
    for index, line in enumerate(series):
        body += curve(line, x_axis, y_axis, theme.lines[index % len(theme.lines)], index)
    for y, index in spread([(y_axis.place(line.points[-1][1]), index) for index, line in enumerate(series)]):
        colour = theme.lines[index % len(theme.lines)]
        body.append(text(PLOT_RIGHT + 14, y + 4.5, series[index].label, colour, weight=600))
    told = "; ".join(
        f"{line.label}: {', '.join(f'{number(y)} at {x:,.0f}' for x, y, _, _ in line.points)}" for line in series
    )
    return document(title, f"{unit} by {x_title}. {told}", body, HEIGHT_OF_LINES, theme)


DASHES = ("", "6 3", "2 3", "8 3 2 3")  # so that lines can be told apart without colours


def curve(line: Line, x_axis: Axis, y_axis: Axis, colour: str, index: int) -> list[str]:
    places = [(x_axis.place(x), y_axis.place(y)) for x, y, _, _ in line.points]
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
    dash = f' stroke-dasharray="{DASHES[index % len(DASHES)]}"' if DASHES[index % len(DASHES)] else ""
    parts = [f'<path d="{path}" stroke="{colour}" stroke-width="2" fill="none"{dash}/>']
    for (x, y), (_, _, low, high) in zip(places, line.points):
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>')
        whisker = f"M{x:.1f} {y_axis.place(low):.1f}V{y_axis.place(high):.1f}"
        parts.append(f'<path d="{whisker}" stroke="{colour}" stroke-width="1.2" fill="none"/>')
    return parts


@dataclass(frozen=True)
class Axis:
    """Logarithmic, over whole and half decades around what it has to show."""

    least: float
    most: float
    begin: float
    end: float

    def bounds(self) -> tuple[float, float]:
        low, high = math.floor(math.log10(self.least) * 2) / 2, math.ceil(math.log10(self.most) * 2) / 2
        return (low, high) if high > low else (low, low + 0.5)

    def place(self, value: float) -> float:
        low, high = self.bounds()
        return self.begin + (math.log10(value) - low) / (high - low) * (self.end - self.begin)

    def ticks(self) -> list[float]:
        """Powers of ten; with 2 and 5 between where there are few."""
        low, high = self.bounds()
        steps = (1, 2, 5) if high - low <= 2 else (1,)
        every = [step * 10.0**power for power in range(math.floor(low), math.ceil(high) + 1) for step in steps]
        return [tick for tick in every if low - 1e-9 <= math.log10(tick) <= high + 1e-9]


def number_on_axis(value: float) -> str:
    for unit, name in ((1e9, " G"), (1e6, " M"), (1e4, " k")):
        if value >= unit:
            return f"{value / (1e3 if unit == 1e4 else unit):g}{name}"
    return f"{value:g}"


def spread(labels: Sequence[tuple[float, int]], gap: float = 18.0) -> list[tuple[float, int]]:
    """Moved down as far as it takes that no two lie upon each other."""
    placed: list[tuple[float, int]] = []
    for y, index in sorted(labels):
        placed.append((max(y, placed[-1][0] + gap) if placed else y, index))
    return placed


def heading(title: str, unit: str, theme: Theme) -> str:
    return text(MARGIN, 30, title, theme.text, size=TITLE, weight=600) + text(MARGIN, 50, unit, theme.faint)


def rule(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="{colour}"/>'


def text(
    x: float, y: float, words: str, colour: str, *, anchor: str = "start", size: int = FONT, weight: int = 400
) -> str:
    style = f'font-size="{size}" font-weight="{weight}" fill="{colour}" text-anchor="{anchor}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(words)}</text>'


def document(title: str, description: str, body: Sequence[str], height: int, theme: Theme) -> str:
    family = quoteattr("system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif")
    lines_of_body = "\n  ".join(body)
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" \
role="img" aria-labelledby="title description" font-family={family}>
  <title id="title">{escape(title)}</title>
  <desc id="description">{escape(description)}</desc>
  <rect width="{WIDTH}" height="{height}" rx="8" fill="{theme.page}"/>
  {lines_of_body}
</svg>
"""
