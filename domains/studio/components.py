"""Players and pictures of the page, without Gradio's button that shares on another server."""

from typing import Any


def player(label: str, name: str) -> Any:
    """Build a player of a sound.

    Args:
        label: What is heard.
        name: Its name within the page.
    """
    import gradio as gr

    return gr.Audio(label=label, interactive=False, buttons=["download"], elem_id=name)


def picture(label: str, name: str, height: int | None = None) -> Any:
    """Build a picture.

    Args:
        label: What is shown.
        name: Its name within the page.
        height: Height in pixels; by default that of the image.
    """
    import gradio as gr

    buttons = ["download", "fullscreen"]
    return gr.Image(label=label, interactive=False, buttons=buttons, elem_id=name, height=height)
