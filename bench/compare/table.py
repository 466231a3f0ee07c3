"""The figures as tables: medians of the repetitions, and ratios to the bare proxy in the same run."""

from statistics import median

BARE = "bare"


def figure(runs, key):
    values = [run[key] for run in runs or [] if run.get(key) is not None]
    return median(values) if values else None


def show(results, absent):
    """All tables there are results for; `absent` says why others are missing."""
    parts = []
    if "healthy" in results:
        parts.append(whole(results["healthy"], absent))
        parts.append(streams(results["healthy"], absent))
    if "failing" in results:
        parts.append(failing(results["failing"]))
    if "footprint" in results:
        parts.append(footprint(results["footprint"], absent))
    parts += faults(results)
    return "\n\n".join(parts)


def whole(results, absent):
    one, sixteen, many = (results.get(f"{count} at once", {}) for count in (1, 16, 64))
    direct50, direct99 = figure(one.get("direct"), "p50_us"), figure(one.get("direct"), "p99_us")

    def row(name):
        added = minus(figure(one.get(name), "p50_us"), direct50)
        late = minus(figure(one.get(name), "p99_us"), direct99)
        cpu = figure(sixteen.get(name), "cpu_us")
        return [added, late, cpu, figure(sixteen.get(name), "rps"), figure(many.get(name), "rps")]

    heads = ["whole replies", "added p50 at 1, us", "added p99 at 1, us", "CPU a request at 16, us", "requests/s at 16", "at 64"]
    return grid(heads, row, [name for name in one if name != "direct"], absent)


def streams(results, absent):
    one, sixteen = results.get("streams, 1 at once", {}), results.get("streams, 16 at once", {})
    direct = figure(one.get("direct"), "first_p50_us")

    def row(name):
        first = figure(one.get(name), "first_p50_us")
        return [minus(first, direct), figure(sixteen.get(name), "cpu_us"), figure(sixteen.get(name), "rps")]

    heads = ["streams of 20 pieces", "first piece, added p50 at 1, us", "CPU a stream at 16, us", "streams/s at 16"]
    return grid(heads, row, [name for name in one if name != "direct"], absent)


def failing(results):
    runs = results.get("16 at once", {})

    def row(name):
        return [figure(runs.get(name), "rps"), figure(runs.get(name), "cpu_us")]

    def measure(name):
        # With cooldowns on, the primary is left alone: that is compared with a healthy one of its own.
        words = name.split(", ")
        return "backstop, healthy" if len(words) == 3 else f"{BARE}, {words[1]}"

    heads = ["failing primary", "requests/s at 16", "CPU a request at 16, us"]
    return grid(heads, row, list(runs), {}, measure)


def footprint(results, absent):
    runs = results.get("process", {})
    keys = ["ready_ms", "idle_mib", "stream_kib", "streams_held", "streams_lost"]
    heads = ["process", "ready, ms", "idle, MiB", "an open stream, KiB", "of 512 held", "lost"]
    return grid(heads, lambda name: [figure(runs.get(name), key) for key in keys], list(runs), absent, lambda _: None)


def faults(results):
    """What went wrong, in words: a rate with errors in it is none."""
    said = []
    for group in results.values():
        for case, subjects in group.items():
            for name, runs in subjects.items():
                errors = sum(run.get("errors", 0) for run in runs)
                first = next((run[key] for run in runs for key in ("fault", "first_error") if run.get(key)), None)
                if errors or first:
                    said.append(f"{case}, {name}: {errors} errors; {' '.join(str(first).split())[:200]}")
    return ["\n".join(["errors:", *said])] if said else []


def grid(heads, row, names, absent, measure=lambda _: BARE):
    lines = [heads]
    for name in names:
        cells, bare = row(name), row(measure(name)) if measure(name) in names else []
        ratios = [None if measure(name) == name else ratio(cell, base) for cell, base in zip(cells, bare)]
        ratios += [None] * (len(cells) - len(ratios))
        lines.append([name, *(cell_text(cell, times) for cell, times in zip(cells, ratios))])
    lines += [[name, why, *[""] * (len(heads) - 2)] for name, why in absent.items()]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    texts = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |" for line in lines]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([texts[0], rule, *texts[1:]])


def minus(figure, base):
    return None if figure is None or base is None else figure - base


def ratio(figure, base):
    return None if figure is None or not base or base <= 0 else figure / base


def cell_text(figure, times):
    if figure is None:
        return "-"
    text = f"{figure:,.0f}" if abs(figure) >= 1_000 else f"{figure:.1f}"
    return text if times is None else f"{text} ({times:.2f}x)"
