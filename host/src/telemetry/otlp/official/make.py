"""Writes trace.bin and metrics.bin with OpenTelemetry's own Python package: pip install opentelemetry-proto, then run this."""

from pathlib import Path

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status


def attribute(owner, key, **value):
    pair = owner.attributes.add(key=key)
    for kind, given in value.items():
        setattr(pair.value, kind, given)


def trace():
    request = ExportTraceServiceRequest()
    of_resource = request.resource_spans.add()
    attribute(of_resource.resource, "service.name", string_value="backstop")
    of_scope = of_resource.scope_spans.add()
    of_scope.scope.name, of_scope.scope.version = "backstop", "1.2.3"
    span = of_scope.spans.add(
        trace_id=bytes(range(16)),
        span_id=bytes(range(8)),
        parent_span_id=bytes(range(8, 16)),
        name="chat default",
        kind=Span.SpanKind.SPAN_KIND_SERVER,
        start_time_unix_nano=1_000_000_000,
        end_time_unix_nano=2_000_000_000,
        flags=0x301,
    )
    attribute(span, "text", string_value="a")
    attribute(span, "flag", bool_value=True)
    attribute(span, "number", int_value=-7)
    attribute(span, "fraction", double_value=0.5)
    event = span.events.add(time_unix_nano=1_500_000_000, name="backstop.decided")
    attribute(event, "why", string_value="b")
    span.status.message, span.status.code = "down", Status.StatusCode.STATUS_CODE_ERROR
    return request


def metrics():
    request = ExportMetricsServiceRequest()
    of_resource = request.resource_metrics.add()
    attribute(of_resource.resource, "service.name", string_value="backstop")
    of_scope = of_resource.scope_metrics.add()
    of_scope.scope.name, of_scope.scope.version = "backstop", "1.2.3"
    cumulative = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
    durations = of_scope.metrics.add(name="duration", description="How long.", unit="s")
    durations.histogram.aggregation_temporality = cumulative
    point = durations.histogram.data_points.add(
        start_time_unix_nano=1, time_unix_nano=2, count=3, sum=4.5, bucket_counts=[1, 2, 0], explicit_bounds=[0.5, 1.0]
    )
    attribute(point, "kind", string_value="a")
    counts = of_scope.metrics.add(name="count", description="How many.", unit="{request}")
    counts.sum.aggregation_temporality, counts.sum.is_monotonic = cumulative, True
    point = counts.sum.data_points.add(start_time_unix_nano=1, time_unix_nano=2, as_int=3)
    attribute(point, "kind", string_value="b")
    return request


here = Path(__file__).parent
(here / "trace.bin").write_bytes(trace().SerializeToString(deterministic=True))
(here / "metrics.bin").write_bytes(metrics().SerializeToString(deterministic=True))
