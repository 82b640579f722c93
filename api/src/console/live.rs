//! The stream of changes (SSE): a page that is open asks for itself again when something has changed.
use std::{
    convert::Infallible,
    sync::{Arc, LazyLock},
    time::Duration,
};

use axum::{
    extract::State,
    http::{HeaderMap, HeaderName, StatusCode},
    response::sse::{Event, KeepAlive, Sse},
};
use erp_core::{onlookers::Seen, operate};
use futures_util::stream::{self, Stream};
use tokio::sync::Semaphore;

use super::guard;
use crate::{ApiError, layers::Entrance};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// How often it is checked, while nothing changes, whether the session goes on.
const CHECK: Duration = Duration::from_secs(5);
/// A stream is never silent for longer: a proxy would take it for dead.
const ALIVE: Duration = Duration::from_secs(15);

/// The most streams of a process; the pages of further ones ask again every ten seconds.
static OPEN: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(500)));

/// Says `maj` (with the number of the change as data: browsers pass on no event without) whenever something has changed, at once if it did since `Last-Event-ID`; `fin` when the session has ended.
pub async fn changes(
    State(entrance): State<Entrance>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    let Ok(place) = OPEN.clone().try_acquire_owned() else {
        return Err(ApiError::of_status(StatusCode::SERVICE_UNAVAILABLE));
    };
    let last = headers.get(LAST_EVENT_ID).and_then(|value| value.to_str().ok()?.parse().ok());
    let seen = operate::watch(&entrance.ctx);
    let last = last.unwrap_or_else(|| seen.borrow().number);
    let begun = (entrance, headers, seen, Some(last), place);
    let events = stream::unfold(begun, |(entrance, headers, mut seen, last, place)| async move {
        let last = last?;
        loop {
            let Seen { number, closing } = *seen.borrow_and_update();
            if closing {
                return None;
            }
            if guard::is_over(&entrance, &headers).await {
                return Some((
                    Ok(Event::default().event("fin").data("fin")),
                    (entrance, headers, seen, None, place),
                ));
            }
            if number != last {
                let event =
                    Event::default().event("maj").id(number.to_string()).data(number.to_string());
                return Some((Ok(event), (entrance, headers, seen, Some(number), place)));
            }
            // A change, or time to look after the session.
            let _ = tokio::time::timeout(CHECK, seen.changed()).await;
        }
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(ALIVE)))
}
