//! The stream of changes.
use std::time::Duration;

use erp_core::users::UserRole::{Admin, Responsable};
use reqwest::Method;
use tokio::time::timeout;

use super::Browser;
use crate::support::App;

/// Long enough for a look; a test that waits longer has failed.
const LIMIT: Duration = Duration::from_secs(30);

/// An open stream.
struct Stream {
    response: reqwest::Response,
    text: String,
}

impl Stream {
    async fn open(browser: &Browser<'_>, last: Option<&str>) -> Self {
        let mut request = browser.request(Method::GET, "/console/flux");
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, text: String::new() }
    }

    /// The next event: its name and id; `None` when the stream ends.
    async fn next(&mut self) -> Option<(String, String)> {
        loop {
            let text = std::mem::take(&mut self.text);
            if let Some((event, rest)) = text.split_once("\n\n") {
                let field = |name: &str| {
                    event
                        .lines()
                        .find_map(|line| line.strip_prefix(name))
                        .unwrap_or_default()
                        .trim()
                        .to_owned()
                };
                let found = (field("event:"), field("id:"));
                // Browsers drop an event without data.
                assert!(found.0.is_empty() || !field("data:").is_empty(), "{event}");
                self.text.push_str(rest);
                if !found.0.is_empty() {
                    return Some(found);
                }
                continue;
            }
            self.text = text;
            let chunk =
                timeout(LIMIT, self.response.chunk()).await.expect("an event in time").unwrap()?;
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }
}

#[tokio::test]
async fn whoever_looks_on_is_told_of_changes_also_of_those_that_were_missed() {
    let app = App::new().await;
    app.leaves_jobs();
    let (browser, reader) = (app.browser(Admin).await, app.browser(Responsable).await);
    let boss = app.user(Responsable).await;
    let (mut one, mut two) =
        (Stream::open(&browser, None).await, Stream::open(&reader, None).await);
    // The look has a first state to compare with: nothing is said of it.
    let quiet = timeout(Duration::from_secs(3), one.next()).await;
    assert!(quiet.is_err(), "{quiet:?}");
    app.notify(&boss, &boss).await;
    let (event, number) = one.next().await.unwrap();
    assert_eq!(event, "maj");
    assert_eq!(two.next().await.unwrap().0, "maj");
    drop(one);

    app.notify(&boss, &boss).await;
    let (_, later) = two.next().await.unwrap();
    assert_ne!(later, number);
    let mut again = Stream::open(&browser, Some(&number)).await;
    let missed = timeout(Duration::from_secs(5), again.next()).await;
    assert_eq!(missed.expect("told at once").unwrap().0, "maj");
}

#[tokio::test]
async fn a_stream_ends_with_its_session_and_with_its_server() {
    let app = App::new().await;
    let browser = app.browser(Admin).await;
    let admin = browser.user.clone();
    let mut stream = Stream::open(&browser, None).await;
    app.delete(&admin, "/auth/sessions").await.expect(204);
    loop {
        match stream.next().await.expect("an event before the end").0.as_str() {
            "maj" => {}
            "fin" => break,
            other => panic!("{other}"),
        }
    }
    assert!(stream.next().await.is_none());

    let browser = app.browser_of(admin).await;
    let mut stream = Stream::open(&browser, None).await;
    app.ctx.onlookers.close();
    while stream.next().await.is_some() {}
}
