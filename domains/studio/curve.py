"""A curve of loudness that is drawn in the browser, as a component of Gradio and as a table."""

import csv
from pathlib import Path
from typing import Any

import numpy as np

from oneleap.core.errors import InputError
from oneleap.core.files import atomic_write
from oneleap.domains.music.controls.presets import LOUD_DB, PRESETS, QUIET_DB

POINTS = 61
"""Number of levels of a curve, at equal distances."""

TEMPLATE = (
    "<p>Curve of loudness: draw with the mouse or a finger</p>"
    '<canvas width="640" height="200" aria-label="curve of loudness"></canvas>'
)

STYLE = """
p { font-size: 14px; color: var(--block-info-text-color); margin: 0 0 6px }
canvas { width: 100%; height: 200px; touch-action: none; cursor: crosshair; border-radius: 8px;
  border: 1px solid #8886; background: #8881 }
"""

SCRIPT = """
const points = 61, left = 46, edge = 12, clamp = (x) => Math.min(1, Math.max(0, x));
const parse = (text) => {
  const found = String(text ?? '').split(',').map(Number);
  return found.length === points && found.every(Number.isFinite)
    ? found : Array(points).fill(0.5);
};
let levels = parse(props.value), last = null;
const paint = () => {
  const canvas = element.querySelector('canvas'), g = canvas.getContext('2d');
  const w = canvas.width, h = canvas.height;
  g.clearRect(0, 0, w, h);
  g.font = '13px sans-serif';
  g.fillStyle = '#888';
  g.fillText('loud', 6, edge + 5);
  g.fillText('quiet', 6, h - edge + 5);
  g.strokeStyle = '#8884';
  g.lineWidth = 1;
  for (const y of [edge, h / 2, h - edge]) {
    g.beginPath();
    g.moveTo(left, y);
    g.lineTo(w - edge, y);
    g.stroke();
  }
  g.beginPath();
  levels.forEach((level, i) => g.lineTo(
    left + i / (points - 1) * (w - left - edge), edge + (1 - level) * (h - 2 * edge)));
  g.strokeStyle = '#3b82f6';
  g.lineWidth = 4;
  g.lineJoin = 'round';
  g.stroke();
};
const place = (event) => {
  const canvas = element.querySelector('canvas'), box = canvas.getBoundingClientRect();
  const x = (event.clientX - box.left) / box.width * canvas.width;
  const y = (event.clientY - box.top) / box.height * canvas.height;
  return [clamp((x - left) / (canvas.width - left - edge)) * (points - 1),
    clamp(1 - (y - edge) / (canvas.height - 2 * edge))];
};
const stroke = (from, to) => {
  const [a, b] = from[0] <= to[0] ? [from, to] : [to, from];
  for (let i = Math.round(a[0]); i <= Math.round(b[0]); i++) {
    const share = b[0] > a[0] ? clamp((i - a[0]) / (b[0] - a[0])) : 1;
    levels[i] = a[1] + share * (b[1] - a[1]);
  }
  paint();
};
element.addEventListener('pointerdown', (event) => {
  if (event.target.tagName !== 'CANVAS') return;
  event.preventDefault();
  event.target.setPointerCapture(event.pointerId);
  last = place(event);
  stroke(last, last);
});
element.addEventListener('pointermove', (event) => {
  if (last === null) return;
  const now = place(event);
  stroke(last, now);
  last = now;
});
element.addEventListener('pointerup', () => {
  if (last === null) return;
  last = null;
  props.value = levels.map((level) => level.toFixed(3)).join(',');
  trigger('input');
});
watch('value', () => { if (last === null) { levels = parse(props.value); paint(); } });
paint();
"""


def preset_levels(name: str) -> str:
    """Return the levels of a preset as the component takes them: numbers with commas."""
    given = PRESETS[name]
    places = np.linspace(0, len(given) - 1, POINTS)
    return ",".join(f"{level:.3f}" for level in np.interp(places, range(len(given)), given))


def parse_levels(text: str | None) -> list[float]:
    """Parse the levels of a curve, from 0 (quiet) to 1 (loud).

    Raises:
        InputError: If the text is something else.
    """
    try:
        found = [float(word) for word in (text or "").split(",")]
    except ValueError:
        found = []
    if len(found) != POINTS or not all(0 <= level <= 1 for level in found):
        raise InputError("curve: draw one, or choose one by name")
    return found


def write_curve(text: str | None, seconds: float, path: Path) -> None:
    """Write a curve as the table that a request for music takes: seconds and dB.

    Args:
        text: Levels as the component returns them.
        seconds: Duration of the piece.
        path: CSV file to write.

    Raises:
        InputError: See :func:`parse_levels`.
    """
    levels = QUIET_DB + (LOUD_DB - QUIET_DB) * np.array(parse_levels(text))
    rows = zip(np.linspace(0, seconds, POINTS), levels, strict=True)
    with atomic_write(path) as temporary, temporary.open("w", newline="") as file:
        csv.writer(file).writerows([[f"{time:.4f}", f"{level:.3f}"] for time, level in rows])


def curve_editor(preset: str) -> Any:
    """Build the component; its value is a text, see :func:`preset_levels`.

    Args:
        preset: Name of the preset that it begins with.
    """
    import gradio as gr

    return gr.HTML(
        preset_levels(preset),
        show_label=False,
        container=True,
        html_template=TEMPLATE,
        css_template=STYLE,
        js_on_load=SCRIPT,
        elem_id="curve",
    )
