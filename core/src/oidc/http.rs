//! The HTTP client of the provider: a limit on the time to connect, on that of a whole call and on the size of its answer, and no
//! redirection.
use std::{pin::Pin, time::Duration};

use futures_util::StreamExt as _;
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use reqwest::{Client, Request, redirect::Policy};

use crate::Result;

/// How long the provider has to accept a connection, and to answer. Somebody waits meanwhile: each is tried once.
const CONNECT: Duration = Duration::from_secs(3);
const WHOLE: Duration = Duration::from_secs(5);
/// The most bytes of an answer; keys and tokens are a few thousand.
const MOST: usize = 256 * 1024;

/// Why there is no answer. No text of it holds what was sent or answered.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failed {
    #[error("the call failed: {0:#}")]
    Call(anyhow::Error),
    #[error("the answer is longer than {MOST} bytes")]
    TooLong,
}

impl From<reqwest::Error> for Failed {
    fn from(error: reqwest::Error) -> Self {
        Self::Call(error.without_url().into())
    }
}

pub(super) struct Http(Client);

impl Http {
    /// A client for `issuer`: where that is https, all that it names must be, too.
    pub(super) fn new(issuer: &str) -> Result<Self> {
        // reqwest is built without a TLS provider of its own; a second call changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .connect_timeout(CONNECT)
            .timeout(WHOLE)
            .redirect(Policy::none())
            .https_only(issuer.starts_with("https://"))
            .build();
        Ok(Self(client.map_err(anyhow::Error::from)?))
    }

    async fn answer(&self, request: HttpRequest) -> Result<HttpResponse, Failed> {
        let answer = self.0.execute(Request::try_from(request)?).await?;
        let mut response = HttpResponse::default();
        *response.status_mut() = answer.status();
        *response.headers_mut() = answer.headers().clone();
        let mut parts = answer.bytes_stream();
        while let Some(part) = parts.next().await {
            let (part, body) = (part?, response.body_mut());
            if body.len() + part.len() > MOST {
                return Err(Failed::TooLong);
            }
            body.extend_from_slice(&part);
        }
        Ok(response)
    }
}

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = Failed;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Failed>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.answer(request))
    }
}
