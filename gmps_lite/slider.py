"""A figure with a slider: pictures made beforehand, turned by the reader."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape

import matplotlib.pyplot as plt
from IPython.display import HTML
from matplotlib.figure import Figure

# The handler stands in the page itself: saved outputs work with no kernel,
# no library and no server, and where scripts are off the first one stays.
TURN = ("const f=this.closest('figure'),i=+this.value;"
        "f.querySelectorAll('img').forEach((x,k)=>{x.hidden=k!=i});"
        "const t=f.querySelectorAll('img')[i].dataset.label;"
        "f.querySelector('output').textContent=t;"
        "this.setAttribute('aria-valuetext',t)")


def slider(figures: Sequence[Figure], labels: Sequence[str],
           words: Sequence[str], *, name: str, caption: str = "",
           first: int = 0) -> HTML:
    """Figures of one size, one shown at a time; closes them. For a notebook
    cell's last line.

    labels: what the slider says at each, as "2 steps"; words: each one's
    text for those who do not see it; name: of what the slider changes;
    first: which one is shown at the beginning, and where no script runs.
    Raises ValueError if their numbers differ.
    """
    if not len(figures) == len(labels) == len(words) > first >= 0:
        raise ValueError(f"{len(figures)} figures, {len(labels)} labels, "
                         f"{len(words)} texts, the first at {first}")
    images = "".join(
        f'<img src="data:image/png;base64,{_png(figure)}" '
        f'alt="{escape(text)}" data-label="{escape(label)}" '
        f'style="width:100%;max-width:{100 * figure.get_figwidth():.0f}px"'
        f'{"" if i == first else " hidden"}>'
        for i, (figure, label, text) in enumerate(
            zip(figures, labels, words, strict=True)))
    return HTML(
        f'<figure class="slider" style="margin:0">{images}'
        f'<label style="display:flex;flex-wrap:wrap;gap:.75em;'
        f'align-items:center"><span>{escape(name)}</span>'
        f'<input type="range" min="0" max="{len(figures) - 1}" '
        f'value="{first}" aria-valuetext="{escape(labels[first])}" '
        f'style="flex:0 1 20em;min-height:2.75em" oninput="{escape(TURN)}">'
        f'<output style="min-width:7em">{escape(labels[first])}</output>'
        f"</label><figcaption>{escape(caption)}</figcaption></figure>")


def _png(figure: Figure) -> str:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=100)
    plt.close(figure)
    return base64.b64encode(file.getvalue()).decode()
