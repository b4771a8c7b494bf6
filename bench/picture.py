# SPDX-License-Identifier: MIT
"""Draws what one decision on a 36-byte id costs by each way to hash it, as bars."""

WIDTH, LEFT, RIGHT, BAR, GAP, TOP = 720, 250, 90, 22, 10, 56


def bars(found):
    """(label, ns, is_floor), slowest last."""
    figures = {(line["program"], line["name"]): line["value"] for line in found["lines"]
               if line["kind"] == "figure"}
    out = []
    for (program, name), value in figures.items():
        if program == "kernels" and name.endswith(", no salt, 36 bytes"):
            what, kernel = name.split(", ")[:2]
            out.append((f"{kernel}, {what[:1].lower()}{what[1:]}", value, False))
    floor = figures.get(("decision", "bare block, one after the other"))
    if floor is not None:
        out.append(("one bare SHA-256 block", floor, True))
    return sorted(out, key=lambda bar: bar[1])


def draw(found):
    rows = bars(found)
    longest = max((value for _, value, _ in rows), default=1)
    height = TOP + len(rows) * (BAR + GAP) + 16
    scale = (WIDTH - LEFT - RIGHT) / longest
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'font-family="system-ui, sans-serif" font-size="14" role="img" '
        f'aria-label="Nanoseconds of a decision by each hash kernel">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        '<text x="16" y="24" font-size="16" font-weight="600" fill="#1f2933">'
        'One decision on a 36-byte id, one after the other, nanoseconds</text>',
        f'<text x="16" y="43" font-size="12" fill="#616e7c">{found["machine"]["cpu"]}, '
        f'commit {found["machine"]["commit"]}</text>',
    ]
    for i, (label, value, is_floor) in enumerate(rows):
        y = TOP + i * (BAR + GAP)
        color = "#9aa5b1" if is_floor else "#2f6f9f"
        parts.append(f'<text x="{LEFT - 10}" y="{y + 16}" text-anchor="end" fill="#1f2933">'
                     f'{label}</text>')
        parts.append(f'<rect x="{LEFT}" y="{y}" width="{value * scale:.1f}" height="{BAR}" rx="3" '
                     f'fill="{color}"/>')
        parts.append(f'<text x="{LEFT + value * scale + 8:.1f}" y="{y + 16}" fill="#1f2933">'
                     f'{value:.1f}</text>')
    parts.append("</svg>")
    return "\n".join(parts) + "\n"
