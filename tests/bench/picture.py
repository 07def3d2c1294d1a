"""The ratios as a picture: an SVG that needs nothing from elsewhere and reads on light and dark pages."""

from collections.abc import Iterable
from html import escape

from tests.bench.figures import Figure

_WIDTH, _LEFT, _RIGHT, _ROW, _TOP = 760, 300, 150, 46, 40
_STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #24292f }
  .small { font-size: 11px; fill: #57606a }
  .good { fill: #1a7f64 } .bad { fill: #b3261e } .baseline { stroke: #57606a; stroke-dasharray: 3 3 }
  .target { stroke: #9a6700; stroke-width: 2 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .small { fill: #9da7b3 } .good { fill: #3fb68b } .bad { fill: #f2b8b5 }
    .baseline { stroke: #9da7b3 } .target { stroke: #d4a72c }
  }"""


def picture(figures: Iterable[Figure]) -> str:
    """Return a bar of value / baseline per figure that has a target, with the baseline at 1 and the target marked."""
    rows = [figure for figure in figures if figure.target is not None and figure.ratio is not None]
    longest = max([1.0, *(max(figure.ratio or 0, figure.target or 0) for figure in rows)])
    scale = (_WIDTH - _LEFT - _RIGHT) / longest
    height = _TOP + _ROW * len(rows) + 24
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" aria-labelledby="title">',
        '<title id="title">Each figure as a multiple of its baseline, with the target</title>',
        f"<style>{_STYLE}\n</style>",
        f'<text x="{_LEFT + scale:.1f}" y="24" class="small" text-anchor="middle">the baseline = 1</text>',
    ]
    for number, figure in enumerate(rows):
        lines += _row(figure, _TOP + number * _ROW, scale)
    bottom = _TOP + _ROW * len(rows)
    x = _LEFT + scale
    lines.append(f'<line class="baseline" x1="{x:.1f}" x2="{x:.1f}" y1="30" y2="{bottom}"/>')
    lines.append(
        f'<text x="{_LEFT}" y="{bottom + 16}" class="small">The short bar across each row is its target.</text>'
    )
    return "\n".join([*lines, "</svg>", ""])


def _row(figure: Figure, y: int, scale: float) -> list[str]:
    ratio, target = figure.ratio or 0, figure.target or 0
    mark = _LEFT + target * scale
    colour = "good" if figure.passed else "bad"
    value = f"{figure.value:,.1f} {figure.unit}, baseline {figure.baseline or 0:,.1f}"
    return [
        f'<text x="{_LEFT - 12}" y="{y + 20}" text-anchor="end">{escape(_short(figure.name))}</text>',
        f'<text x="{_LEFT - 12}" y="{y + 35}" text-anchor="end" class="small">{escape(value)}</text>',
        f'<rect class="{colour}" x="{_LEFT}" y="{y + 8}" width="{ratio * scale:.1f}" height="22" rx="3"/>',
        f'<line class="target" x1="{mark:.1f}" x2="{mark:.1f}" y1="{y + 3}" y2="{y + 35}"/>',
        f'<text x="{_WIDTH - _RIGHT + 16}" y="{y + 24}">{ratio:.2f} × ({escape(figure.bound)})</text>',
    ]


def _short(name: str) -> str:
    return name.split(":", maxsplit=1)[0].replace("on the live stream, ", "on the stream, ")
