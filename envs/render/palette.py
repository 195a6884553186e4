"""Colors of pictures, the same in every task and figure."""

from __future__ import annotations

# Okabe and Ito's palette, which color-blind readers can tell apart.
AGENT_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6D31", "#6A51A3")
INK, FAINT, FLOOR, GOAL = "#2B2B33", "#B9BCC6", "#F2F3F7", "#F2C14E"
VISITED = "#FFF3D1"  # a pale `GOAL`
RIGHT, WRONG, LOCATED = "#009E73", "#D55E00", "#2E9E5B"
ROAD, COLLISION = "#DCDEE6", "#C1272D"


def rgb(color: str) -> tuple[float, float, float]:
    """Red, green and blue of such as #A9A48F, in 0 .. 1."""
    from matplotlib.colors import to_rgb  # which is loaded when something is drawn

    return to_rgb(color)


def agent_color(agent: int) -> str:
    """The color of an agent, by its index; colors repeat after eight."""
    return AGENT_COLORS[agent % len(AGENT_COLORS)]
