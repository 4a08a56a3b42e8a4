"""Players and pictures of the page, without Gradio's button that shares on another server."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray


def player(label: str, name: str) -> Any:
    """Build a player of a sound.

    Args:
        label: What is heard.
        name: Its name within the page.
    """
    import gradio as gr

    return gr.Audio(label=label, interactive=False, buttons=["download"], elem_id=name)


def picture(
    label: str,
    name: str,
    height: int | None = None,
    first: Callable[[], NDArray[np.uint8] | None] | None = None,
) -> Any:
    """Build a picture below its label, which Gradio would lay over a corner of the picture.

    Args:
        label: What is shown.
        name: Its name within the page.
        height: Height in pixels; by default that of the image.
        first: Draws what is shown when the page is opened; by default nothing is.
    """
    import gradio as gr

    gr.Markdown(f"**{label}**")
    return gr.Image(
        first,
        label=label,
        show_label=False,
        interactive=False,
        buttons=["download", "fullscreen"],
        elem_id=name,
        height=height,
        alt_text=label,
    )
