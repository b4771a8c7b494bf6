# SPDX-License-Identifier: MIT
"""Draws those who judge releases: healthy ones they roll back, and how late they find harm."""
import html
import math

FALSE = "Healthy releases rolled back"
FOUND = "Harmful releases rolled back, for their harm"
TIME = "Time until harm is found"
HARM = "2 times"

WIDTH, LEFT, MIDDLE, RIGHT, BAR, GAP, TOP = 890, 330, 560, 820, 18, 9, 92
# Ten minutes are as long again as one: what matters is by how many times.
TICKS = [(1 / 6, "10 s"), (1, "1 min"), (10, "10 min"), (60, "1 h"), (480, "8 h")]


def rows(found):
    """(rule, worst share of false alarms, minutes until harm is found or None, share found)."""
    tables = {}
    for line in found["lines"]:
        if line["program"] == "judges" and line["kind"] == "figure":
            rule, _, stream = line["name"].rpartition(", ")
            tables.setdefault(line["heading"], {}).setdefault(rule, {})[stream] = line["value"]
    return [(rule, max(streams.values()), tables.get(TIME, {}).get(rule, {}).get(HARM),
             tables[FOUND][rule][HARM])
            for rule, streams in tables.get(FALSE, {}).items()]


def along(minutes):
    """Where a time stands between 10 seconds and 8 hours, from 0 to 1."""
    low, high = TICKS[0][0], TICKS[-1][0]
    return min(1, max(0, math.log(minutes / low) / math.log(high / low)))


def percent(share):
    return f"{share:.1f}".removesuffix(".0") + " %"


def draw(found):
    judges = rows(found)
    height = TOP + len(judges) * (BAR + GAP) + 14
    scale = (MIDDLE - LEFT - 70) / 100
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'font-family="system-ui, sans-serif" font-size="13" role="img" '
        f'aria-label="Healthy releases rolled back, and time until harm is found, by rule">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        '<text x="16" y="24" font-size="16" font-weight="600" fill="#1f2933">'
        'Who judges a release, on the same streams of requests</text>',
        f'<text x="{LEFT}" y="52" font-weight="600" fill="#1f2933">healthy, rolled back</text>',
        f'<text x="{LEFT}" y="70" font-size="11" fill="#616e7c">in the worst of four streams</text>',
        f'<text x="{MIDDLE}" y="52" font-weight="600" fill="#1f2933">'
        'twice the failures, found after</text>',
    ]
    for minutes, label in TICKS:
        x = MIDDLE + along(minutes) * (RIGHT - MIDDLE)
        parts.append(f'<text x="{x:.0f}" y="70" font-size="11" text-anchor="middle" '
                     f'fill="#616e7c">{label}</text>')
        parts.append(f'<path d="M{x:.1f} {TOP - 14} V{height - 12}" stroke="#e4e7eb"/>')
    for i, (rule, alarms, minutes, share) in enumerate(judges):
        y = TOP + i * (BAR + GAP)
        ours = rule.startswith("libcanary")
        weight = ' font-weight="600"' if ours else ""
        parts.append(f'<text x="{LEFT - 12}" y="{y + 13}" text-anchor="end" fill="#1f2933"{weight}>'
                     f'{html.escape(rule)}</text>')
        parts.append(f'<rect x="{LEFT}" y="{y}" width="{alarms * scale:.1f}" height="{BAR}" rx="1" '
                     f'fill="{"#2f6f9f" if ours else "#c0562f"}"/>')
        parts.append(f'<text x="{LEFT + alarms * scale + 6:.1f}" y="{y + 13}" '
                     f'fill="#1f2933">{percent(alarms)}</text>')
        if minutes is None:
            parts.append(f'<text x="{MIDDLE}" y="{y + 13}" fill="#616e7c">never</text>')
            continue
        x = MIDDLE + along(minutes) * (RIGHT - MIDDLE)
        few = f"{percent(share)} of them" if share < 99.5 else ""
        parts.append(f'<circle cx="{x:.1f}" cy="{y + BAR / 2}" r="6" '
                     f'fill="{"#2f6f9f" if ours else "#7b8794"}"/>')
        if few:
            parts.append(f'<text x="{x + 11:.1f}" y="{y + 13}" font-size="11" fill="#616e7c">'
                         f'{few}</text>')
    parts.append("</svg>")
    return "\n".join(parts) + "\n"
