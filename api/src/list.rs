//! One page of a list as a response: a bare JSON array, with the total and the links to other pages in headers.
use axum::{
    Json,
    extract::FromRequestParts,
    http::{HeaderName, HeaderValue, Uri, header, request::Parts},
    response::{IntoResponse, Response},
};
use erp_core::page::{Cursor, Listed, Page};
use serde::Serialize;

use crate::ApiError;

pub const X_TOTAL_COUNT: HeaderName = HeaderName::from_static("x-total-count");
/// `false` where there are more rows than were counted; absent otherwise.
pub const X_TOTAL_COUNT_EXACT: HeaderName = HeaderName::from_static("x-total-count-exact");

/// The URI of the request, from which the links of a list are made.
#[derive(Debug, Clone)]
pub struct Here(Uri);

impl<S: Send + Sync> FromRequestParts<S> for Here {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let uri = axum::extract::OriginalUri::from_request_parts(parts, state).await;
        Ok(Self(uri.map_or_else(|_| parts.uri.clone(), |uri| uri.0)))
    }
}

impl Here {
    /// The response for `listed`, the part `page` of a list.
    pub fn list<T: Serialize>(&self, page: &Page, listed: &Listed<T>) -> Response {
        let mut response = Json(&listed.rows).into_response();
        let headers = response.headers_mut();
        headers.insert(X_TOTAL_COUNT, listed.total.into());
        if listed.and_more {
            headers.insert(X_TOTAL_COUNT_EXACT, HeaderValue::from_static("false"));
        }
        let after = listed.next.as_ref().and_then(Cursor::text);
        let more = match &page.after {
            Some(_) => after.is_some(),
            None if listed.and_more => listed.next.is_some(),
            None => page.offset.saturating_add(page.limit) < listed.total,
        };
        let last = (!listed.and_more).then_some(listed.total);
        if let Ok(link) = HeaderValue::from_str(&self.links(page, last, more, after)) {
            headers.insert(header::LINK, link);
        }
        response
    }

    /// The value of `Link` ([RFC 8288](https://www.rfc-editor.org/rfc/rfc8288)): `first` always, `prev` if the page has an offset,
    /// `next` if there is `more`, at the cursor `after` if there is one, and `last` if the list was counted whole.
    fn links(&self, page: &Page, total: Option<i64>, more: bool, after: Option<String>) -> String {
        let at = |offset: i64| ("offset", offset.to_string());
        let mut links = vec![("first", at(0))];
        if page.offset > 0 {
            links.push(("prev", at((page.offset - page.limit).max(0))));
        }
        if more {
            let offset = || at(page.offset.saturating_add(page.limit));
            links.push(("next", after.map_or_else(offset, |after| ("apres", after))));
        }
        if let Some(total) = total {
            links.push(("last", at((total - 1).max(0) / page.limit * page.limit)));
        }
        let link = |(rel, at)| format!("<{}>; rel=\"{rel}\"", self.at(page.limit, at));
        links.into_iter().map(link).collect::<Vec<_>>().join(", ")
    }

    /// The address of the page of `limit` rows at this offset or cursor.
    fn at(&self, limit: i64, (name, place): (&'static str, String)) -> String {
        let query = form_urlencoded::parse(self.0.query().unwrap_or("").as_bytes())
            .filter(|(name, _)| !["limit", "offset", "apres"].contains(&&**name));
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(query)
            .append_pair("limit", &limit.to_string())
            .append_pair(name, &place)
            .finish();
        format!("{}?{query}", self.0.path())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_keep_the_filters_and_name_the_neighbours() {
        let here = Here("/api/v1/users?sort=-id&offset=50&q=a%20b".parse().unwrap());
        let page = Page { offset: 50, ..Page::newest(50) };
        assert_eq!(
            here.links(&page, Some(120), true, Some("WyItaWQiLDQyLDQyXQ".to_owned())),
            "</api/v1/users?sort=-id&q=a+b&limit=50&offset=0>; rel=\"first\", \
             </api/v1/users?sort=-id&q=a+b&limit=50&offset=0>; rel=\"prev\", \
             </api/v1/users?sort=-id&q=a+b&limit=50&apres=WyItaWQiLDQyLDQyXQ>; rel=\"next\", \
             </api/v1/users?sort=-id&q=a+b&limit=50&offset=100>; rel=\"last\""
        );
    }

    #[test]
    fn where_not_all_was_counted_there_is_a_next_page_and_no_last() {
        let here = Here("/users?offset=20000".parse().unwrap());
        let page = Page { offset: 20_000, ..Page::newest(50) };
        let links = here.links(&page, None, true, None);
        assert!(links.contains("</users?limit=50&offset=20050>; rel=\"next\""), "{links}");
        assert!(!links.contains("rel=\"last\""), "{links}");
        assert!(!here.links(&page, None, false, None).contains("next"));
    }
}
