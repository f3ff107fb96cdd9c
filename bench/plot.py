"""Line plots as SVG: figures over a growing number. Not here: the figures."""

import math
from collections.abc import Sequence
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 640, 300
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 40, 48
STYLE = (
    "text{font:12px sans-serif;fill:#57606a}.title{font-weight:bold}"
    "line{stroke:#8c959f;stroke-opacity:.4}polyline{fill:none;stroke:#2f6fbf;stroke-width:2}"
    "circle{fill:#2f6fbf}"
)
Points = Sequence[tuple[float, float]]


def line_plot(title: str, x_name: str, points: Points) -> str:
    """One line over a logarithmic x axis; the y axis begins at zero, so that growth shows."""
    top = _round_up(max(y for _, y in points))
    marks = [(_across(x, points), _down(y, top), x, y) for x, y in points]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f"<title>{escape(title)}</title><style>{STYLE}</style>",
        f'<text class="title" x="{LEFT}" y="22">{escape(title)}</text>',
        f'<text x="{WIDTH / 2}" y="{HEIGHT - 8}" text-anchor="middle">{escape(x_name)}</text>',
        *(_level(top * part / 4, top) for part in range(5)),
        f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y, _, _ in marks)}"/>',
        *(_mark(*mark) for mark in marks),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _level(value: float, top: float) -> str:
    y = _down(value, top)
    return (
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>'
    )


def _mark(across: float, down: float, x: float, y: float) -> str:
    return (
        f'<circle cx="{across:.1f}" cy="{down:.1f}" r="4"><title>{x:,g}: {y:,.1f}</title></circle>'
        f'<text x="{across:.1f}" y="{HEIGHT - 28}" text-anchor="middle">{x:,.0f}</text>'
    )


def _across(x: float, points: Points) -> float:
    low, high = (math.log10(1 + end) for end in (points[0][0], points[-1][0]))
    share = (math.log10(1 + x) - low) / ((high - low) or 1)
    return LEFT + 12 + share * (WIDTH - LEFT - RIGHT - 40)


def _down(y: float, top: float) -> float:
    return HEIGHT - BOTTOM - y / top * (HEIGHT - TOP - BOTTOM)


def _round_up(value: float) -> float:
    """The next of 1, 2, 4, 5 or 8 times a power of ten, which four levels divide well."""
    power: float = 10 ** math.floor(math.log10(value or 1))
    return next(step * power for step in (1, 2, 4, 5, 8, 10) if step * power >= value)
