"""The page of the studio: its tabs, its theme, and its server."""

from socket import socket
from typing import Any

from oneleap.domains.studio.compare import compare_tab
from oneleap.domains.studio.compose import compose_tab
from oneleap.domains.studio.handling import MAX_WAITING
from oneleap.domains.studio.policies import policies_tab
from oneleap.domains.studio.request import MAX_BYTES
from oneleap.domains.studio.sing import sing_tab
from oneleap.domains.studio.speak import speak_tab

TABS = {
    "Speak": speak_tab,
    "Sing": sing_tab,
    "Compose": compose_tab,
    "Policies": policies_tab,
    "Compare": compare_tab,
}
"""The tabs by name; each function builds one inside a page, given the seed it begins with."""

CACHE_S = (600, 3600)
"""How often results are cleaned up, and the age at which they are, in seconds."""


def build(seed: int) -> Any:
    """Build the page. No model is loaded, and torch is not imported.

    Args:
        seed: Seed that the tabs begin with.

    Returns:
        The page, a ``gradio.Blocks``.
    """
    import gradio as gr

    with gr.Blocks(title="oneleap studio", analytics_enabled=False, delete_cache=CACHE_S) as page:
        gr.Markdown(
            "# oneleap studio\nOne network call from noise to a result. Every tab loads its model "
            "when it is first used, and works on this machine only."
        )
        for name, tab in TABS.items():
            with gr.Tab(name):
                tab(seed)
    page.queue(max_size=MAX_WAITING, default_concurrency_limit=4)
    return page


def serve(page: Any, listener: socket) -> None:
    """Serve a page until the process is interrupted, without telemetry, a public link or fonts.

    Args:
        page: The page.
        listener: Socket that listens at the address of the page.
    """
    import gradio as gr
    import uvicorn
    from fastapi import FastAPI

    system = ["system-ui", "sans-serif"]
    theme = gr.themes.Soft(font=system, font_mono=["ui-monospace", "monospace"])
    app = gr.mount_gradio_app(
        FastAPI(openapi_url=None),
        page,
        "/",
        show_error=True,
        ssr_mode=False,
        mcp_server=False,
        run_history=False,
        enable_monitoring=False,
        footer_links=[],
        max_file_size=MAX_BYTES,
        theme=theme,
    )
    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=3)
    uvicorn.Server(config).run(sockets=[listener])
