"""Figures of one process for Prometheus; each site has a registry of its own, so that tests do not share them."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Figures:
    """What the service counts; no label ever holds evidence, a case id or a name."""

    def __init__(self) -> None:
        self.open = CollectorRegistry()
        self.closed = CollectorRegistry()
        self.requests = Counter(
            "casemate_http_requests", "Requests answered", ("method", "route", "status"), registry=self.open
        )
        self.seconds = Histogram(
            "casemate_http_request_seconds", "Server time of requests", ("route",), buckets=BUCKETS, registry=self.open
        )
        self.alerts = Counter("casemate_alerts_received", "Alerts stored since the start", registry=self.closed)
        self.bytes = Counter("casemate_evidence_bytes", "Bytes of evidence stored", registry=self.closed)
        self.jobs = Gauge("casemate_jobs", "Jobs by state", ("state",), registry=self.closed)
        self.groups = Gauge("casemate_groups", "Open alert groups", registry=self.closed)
        self.workers = Gauge("casemate_workers", "Worker processes that are alive", registry=self.closed)

    def text(self, *, everything: bool) -> bytes:
        """Write the figures in the text format; `everything` includes those that tell of evidence."""
        return generate_latest(self.open) + (generate_latest(self.closed) if everything else b"")
