//! The console: who may, what it shows, what it changes, and that nothing slips in through what it shows.
mod account;
mod acts;
mod entry;
mod live;
mod second_factor;
mod shows;
mod things;

use erp_core::users::UserRole;
use reqwest::{
    Method, RequestBuilder, StatusCode,
    header::{COOKIE, HeaderMap, LOCATION, SET_COOKIE},
};

use crate::support::{App, PASSWORD, User};

/// A page as a browser gets it.
pub struct Shown {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub html: String,
}

impl Shown {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
    }

    /// Where it leads.
    pub fn location(&self) -> &str {
        self.header(LOCATION.as_str())
    }

    #[track_caller]
    pub fn expect(self, status: u16) -> String {
        assert_eq!(self.status.as_u16(), status, "{} {}", self.location(), self.html);
        self.html
    }
}

/// A browser that is signed in to the console.
pub struct Browser<'a> {
    pub app: &'a App,
    pub user: User,
    pub cookie: String,
}

impl App {
    /// A browser of a new user with this role.
    pub async fn browser(&self, role: UserRole) -> Browser<'_> {
        let user = self.user(role).await;
        self.browser_of(user).await
    }

    pub async fn browser_of(&self, user: User) -> Browser<'_> {
        let fields = [("username", user.username.as_str()), ("password", PASSWORD)];
        let request = self.request(Method::POST, "/console/connexion").form(&fields);
        let answer = self.shown(request).await;
        assert_eq!(answer.status, 303, "{}", answer.html);
        assert!(["/console", "/compte"].contains(&answer.location()), "{}", answer.location());
        let cookie = answer.header(SET_COOKIE.as_str()).split(';').next().unwrap().to_owned();
        Browser { app: self, user, cookie }
    }

    pub async fn shown(&self, request: RequestBuilder) -> Shown {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        Shown { status, headers, html: response.text().await.unwrap() }
    }
}

impl Browser<'_> {
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.app.request(method, path).header(COOKIE, &self.cookie)
    }

    pub async fn open(&self, path: &str) -> Shown {
        self.app.shown(self.request(Method::GET, path)).await
    }

    /// The token of the forms of this session.
    pub async fn token(&self) -> String {
        let html = self.open("/compte").await.expect(200);
        let (_, rest) = html.split_once(r#"name="jeton" value=""#).unwrap();
        rest.split('"').next().unwrap().to_owned()
    }

    /// Sends a form of a page.
    pub async fn send(&self, path: &str, fields: &[(&str, &str)]) -> Shown {
        let token = self.token().await;
        let mut all = vec![("jeton", token.as_str())];
        all.extend_from_slice(fields);
        self.app.shown(self.request(Method::POST, path).form(&all)).await
    }
}
