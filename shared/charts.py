"""Line charts as SVG text: axes, grid, one labelled line per series. The same figures give the same bytes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import log10

Points = Sequence[tuple[float, float]]

_WIDTH, _HEIGHT = 860, 440
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 230, 46, 56
_COLOURS = ("#0b6e4f", "#1d4e89", "#b5451b", "#7a3e9d", "#8a6d00", "#3a3a3a", "#a8326a", "#00798c")
_DASHES = ("", "7 4", "2 3", "10 3 2 3")
_APART = 16


@dataclass(frozen=True)
class Axis:
    """One axis of a chart: its title, its marks with labels, and whether it is logarithmic (base 10)."""

    title: str
    marks: Sequence[tuple[float, str]]
    log: bool = False

    def share(self, value: float) -> float:
        """Return the position of a value between the first and the last mark, 0 to 1."""
        low, high = self._scaled(self.marks[0][0]), self._scaled(self.marks[-1][0])
        return min(max((self._scaled(value) - low) / (high - low), 0.0), 1.0)

    def _scaled(self, value: float) -> float:
        return log10(max(value, 1e-9)) if self.log else value


def chart(title: str, across: Axis, up: Axis, series: Mapping[str, Points]) -> str:
    """Return a line chart as SVG, with a line for each series that has points.

    `across`, `up`: the horizontal and the vertical axis. `series`: {label: points}.
    """
    drawn = {name: points for name, points in series.items() if points}
    font = 'font-family="system-ui, sans-serif" font-size="13"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" {font}>',
        f"<title>{escape(title)}</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="26" font-size="16" font-weight="600" fill="#222">{escape(title)}</text>',
        *_axes(across, up),
    ]
    ends = _spread({name: _y(up, points[-1][1]) for name, points in drawn.items()})
    for number, (name, points) in enumerate(drawn.items()):
        parts += _line(number, name, [(_x(across, x), _y(up, y)) for x, y in points], ends[name])
    return "\n".join([*parts, "</svg>"]) + "\n"


def _x(axis: Axis, value: float) -> float:
    return round(_LEFT + axis.share(value) * (_WIDTH - _LEFT - _RIGHT), 1)


def _y(axis: Axis, value: float) -> float:
    return round(_HEIGHT - _BOTTOM - axis.share(value) * (_HEIGHT - _TOP - _BOTTOM), 1)


def _axes(across: Axis, up: Axis) -> list[str]:
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    parts = []
    for value, word in up.marks:
        y = _y(up, value)
        parts.append(f'<line x1="{_LEFT}" y1="{y}" x2="{right}" y2="{y}" stroke="#ddd"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4}" text-anchor="end" fill="#444">{escape(word)}</text>')
    for value, word in across.marks:
        x = _x(across, value)
        parts.append(f'<line x1="{x}" y1="{bottom}" x2="{x}" y2="{bottom + 5}" stroke="#888"/>')
        parts.append(f'<text x="{x}" y="{bottom + 20}" text-anchor="middle" fill="#444">{escape(word)}</text>')
    middle_x, middle_y = (_LEFT + right) / 2, (_TOP + bottom) / 2
    titles = ((across, f'x="{middle_x}" y="{_HEIGHT - 12}"'), (up, f'transform="translate(18 {middle_y}) rotate(-90)"'))
    parts += [f'<text {place} text-anchor="middle" fill="#222">{escape(axis.title)}</text>' for axis, place in titles]
    return parts


def _line(number: int, name: str, points: Points, label_y: float) -> list[str]:
    colour, dash = _COLOURS[number % len(_COLOURS)], _DASHES[number % len(_DASHES)]
    path = " ".join(f"{x},{y}" for x, y in points)
    last_x, last_y = points[-1]
    label_x = _WIDTH - _RIGHT + 14
    return [
        f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2.2" stroke-dasharray="{dash}"/>',
        f'<line x1="{last_x}" y1="{last_y}" x2="{label_x - 3}" y2="{label_y}" stroke="{colour}" stroke-width="0.8"/>',
        f'<text x="{label_x}" y="{label_y + 4}" fill="{colour}">{escape(name)}</text>',
    ]


def _spread(wanted: dict[str, float]) -> dict[str, float]:
    """Return label heights close to the wanted ones without overlap."""
    places: dict[str, float] = {}
    lowest = float(_HEIGHT - _BOTTOM)
    for name, y in sorted(wanted.items(), key=lambda item: -item[1]):
        places[name] = min(y, lowest)
        lowest = places[name] - _APART
    return {name: round(y, 1) for name, y in places.items()}
