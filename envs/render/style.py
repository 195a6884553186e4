"""What figures share: frames, reference lines, and text on shaded cells."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.axes import Axes

from marlcomm.envs.render.palette import FAINT, INK


def plain_frame(axes: Axes) -> None:
    """A faint grid, and no frame at the top and on the right."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color=FAINT, alpha=0.35, linewidth=0.6)
    axes.set_axisbelow(True)


def draw_references(axes: Axes, references: Mapping[str, float]) -> None:
    """A thin dotted line with its label at each height."""
    for label, height in references.items():
        axes.axhline(height, color=INK, linewidth=0.8, linestyle=":", zorder=1)
        axes.annotate(
            label, (0.995, height), xycoords=("axes fraction", "data"), xytext=(0, 2),
            textcoords="offset points", ha="right", va="bottom", fontsize=7, color=INK,
        )  # fmt: skip


def shade_text(share: float) -> str:
    """The color of a number on a cell of the color map "Blues"."""
    return "white" if share > 0.6 else INK
