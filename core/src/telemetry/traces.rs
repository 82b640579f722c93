//! Spans as OpenTelemetry traces, from a request to the jobs that follow from it (W3C Trace Context).
use std::collections::HashMap;

use opentelemetry::{propagation::TextMapPropagator as _, trace::TracerProvider as _};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::{
    Resource,
    propagation::TraceContextPropagator,
    trace::{SdkTracer, SdkTracerProvider},
};
use tracing::Span;
use tracing_opentelemetry::{OpenTelemetryLayer, OpenTelemetrySpanExt as _};
use tracing_subscriber::registry::LookupSpan;

const TRACEPARENT: &str = "traceparent";

/// Sends spans to `endpoint` in batches, from a thread of its own. The variables of the OpenTelemetry SDK say which part of
/// the traces is sent, and under which name (`OTEL_TRACES_SAMPLER`, `OTEL_SERVICE_NAME`).
pub(super) fn provider(endpoint: &str) -> Option<SdkTracerProvider> {
    let url = format!("{endpoint}/v1/traces");
    // A blocking client may not be made inside a runtime.
    let made =
        std::thread::spawn(|| SpanExporter::builder().with_http().with_endpoint(url).build());
    match made.join() {
        Ok(Ok(exporter)) => {
            let resource = Resource::builder();
            let named = std::env::var_os("OTEL_SERVICE_NAME").is_some();
            let program = std::env::current_exe().ok();
            let name = program.as_deref().and_then(|path| path.file_stem()?.to_str());
            let resource = match name {
                Some(name) if !named => resource.with_service_name(name.to_owned()),
                _ => resource,
            };
            let provider = SdkTracerProvider::builder()
                .with_batch_exporter(exporter)
                .with_resource(resource.build());
            Some(provider.build())
        }
        // The program works without traces.
        Ok(Err(error)) => {
            eprintln!("OTEL_EXPORTER_OTLP_ENDPOINT : les traces ne partiront pas : {error}");
            None
        }
        Err(_) => None,
    }
}

pub(super) fn layer<S>(provider: &SdkTracerProvider) -> OpenTelemetryLayer<S, SdkTracer>
where
    S: tracing::Subscriber + for<'span> LookupSpan<'span>,
{
    tracing_opentelemetry::layer().with_tracer(provider.tracer("erp"))
}

/// The current span as a `traceparent` header; `None` where there are no traces.
#[must_use]
pub fn traceparent() -> Option<String> {
    let mut headers = HashMap::new();
    TraceContextPropagator::new().inject_context(&Span::current().context(), &mut headers);
    headers.remove(TRACEPARENT)
}

/// Makes `span`, which has not begun, a child of the span that `traceparent` names.
pub fn adopt(span: &Span, traceparent: Option<&str>) {
    let Some(traceparent) = traceparent else { return };
    let headers = HashMap::from([(TRACEPARENT.to_owned(), traceparent.to_owned())]);
    // Refused where there are no traces.
    let _ = span.set_parent(TraceContextPropagator::new().extract(&headers));
}
