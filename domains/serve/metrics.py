"""Figures about a server in Prometheus' text format."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oneleap.domains.serve.pool import Pool

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds of the classes of times."""


class Metrics:
    """Counters of one server.

    Args:
        pool: Workers and queue, which are read when the figures are asked for.
    """

    def __init__(self, pool: "Pool") -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
        from prometheus_client.gc_collector import GCCollector
        from prometheus_client.process_collector import ProcessCollector

        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        GCCollector(registry=registry)
        self.requests = Counter(
            "oneleap_requests", "Requests by path and status", ("path", "status"), registry=registry
        )
        self.seconds = Histogram(
            "oneleap_request_seconds",
            "Time from a request to the end of its reply",
            ("path",),
            buckets=SECONDS,
            registry=registry,
        )
        self.stopped = Counter(
            "oneleap_stopped", "Requests whose client left before the reply", registry=registry
        )
        self.characters = Counter("oneleap_characters", "Characters spoken", registry=registry)
        self.audio = Counter("oneleap_audio_seconds", "Seconds of sound", registry=registry)
        self.actions = Counter(
            "oneleap_observations", "Observations that policies acted on", registry=registry
        )
        waiting = Gauge("oneleap_requests_waiting", "Requests in the queue", registry=registry)
        waiting.set_function(lambda: pool.waiting)
        running = Gauge("oneleap_requests_running", "Requests at work", registry=registry)
        running.set_function(lambda: pool.running)

    def text(self) -> bytes:
        """Return all figures."""
        from prometheus_client import generate_latest

        return generate_latest(self.registry)
