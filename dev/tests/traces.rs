//! One trace from a request to the job that follows from it, as an OpenTelemetry collector receives it; and errors, as Sentry
//! receives them.
#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may panic, and its servers end with it"
)]

mod support;

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{Router, body::Bytes, extract::State, routing::post};
use erp_dev::samples;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest, trace::v1::Span,
};
use prost::Message as _;
use rustix::process::Signal;
use tokio::net::TcpListener;

use support::System;

/// Spans, with the name of the program that sent them.
type Spans = Arc<Mutex<Vec<(String, Span)>>>;

async fn collect(State(spans): State<Spans>, body: Bytes) {
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    for resource in request.resource_spans {
        let attributes = resource.resource.unwrap().attributes;
        let service = attributes.into_iter().find(|a| a.key == "service.name").unwrap();
        let service = format!("{:?}", service.value.unwrap().value.unwrap());
        let found = resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
        spans.lock().unwrap().extend(found.map(|span| (service.clone(), span)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_in_the_trace_of_the_request_that_caused_it() {
    let spans = Spans::default();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let collector = Router::new()
        .route("/v1/traces", post(collect))
        .with_state(spans.clone())
        .into_make_service();
    tokio::spawn(async move { axum::serve(listener, collector).await });

    let settings = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()), ("LOG_LEVEL", "info")];
    let system = System::start_with(&settings).await;
    let intervention = system.intervention().await;
    let mut worker = system.worker();
    system.upload(&intervention, samples::jpeg(320, 240, 1)).await;
    system.until_ready(1).await;
    // Buffered spans are sent when the process ends.
    worker.signal(Signal::TERM);
    assert!(worker.ended().await.success());
    let started = Instant::now();
    loop {
        let seen = spans.lock().unwrap().clone();
        let job = seen.iter().find(|(_, span)| span.name == "job");
        let cause = job
            .and_then(|(_, job)| seen.iter().find(|(_, span)| span.span_id == job.parent_span_id));
        if let (Some((worker, job)), Some((api, request))) = (job, cause) {
            assert!(worker.contains("erp-worker") && api.contains("erp-api"), "{worker} {api}");
            assert_eq!(request.name, "request");
            assert_eq!(request.trace_id, job.trace_id);
            return;
        }
        assert!(started.elapsed() < Duration::from_secs(30), "{seen:#?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_is_told_to_sentry_where_there_is_one() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let told = Arc::new(Mutex::new(String::new()));
    let hear = async |State(told): State<Arc<Mutex<String>>>, body: String| {
        told.lock().unwrap().push_str(&body);
    };
    let sentry = Router::new().route("/api/7/envelope/", post(hear)).with_state(told.clone());
    tokio::spawn(async move { axum::serve(listener, sentry.into_make_service()).await });

    let system = System::start().await;
    let dsn = format!("http://cle@{address}/7");
    // Its port is in use, so it ends with an error.
    let settings = [("SENTRY_DSN", dsn.as_str()), ("WORKER_BIND_ADDR", address.as_str())];
    let mut worker = system.worker_with(&settings);
    assert!(!worker.ended().await.success());
    let told = told.lock().unwrap().clone();
    for said in ["stopped by an error", "Address already in use", r#""environment":"production""#] {
        assert!(told.contains(said), "{said}: {told}");
    }
}
