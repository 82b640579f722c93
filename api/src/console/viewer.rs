//! Who looks at a page.
use axum::{extract::FromRequestParts, http::request::Parts};
use erp_core::{
    Ctx, Error, Lang,
    users::{UserOut, UserRole},
};
use uuid::Uuid;

use crate::ApiError;

/// Who looks at a page; only the guard makes one.
#[derive(Debug, Clone)]
pub struct Viewer {
    pub id: i64,
    pub name: String,
    pub session: Uuid,
    pub langue: Lang,
    /// Whether the pages of operators are shown.
    pub operates: bool,
    /// Whether the buttons that change something are shown.
    pub acts: bool,
    /// What the forms of the page send along.
    pub token: String,
}

impl Viewer {
    /// The owner of `session`.
    pub fn new(ctx: &Ctx, owner: UserOut, session: Uuid) -> Self {
        Self {
            id: owner.id,
            session,
            operates: matches!(owner.role, UserRole::Admin | UserRole::Responsable),
            acts: owner.role == UserRole::Admin,
            langue: owner.langue,
            name: owner.full_name,
            token: ctx.page_forms.secret(session),
        }
    }

    /// The one of two texts that is in the viewer's language.
    pub fn say<T>(&self, fr: T, en: T) -> T {
        self.langue.choose(fr, en)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Viewer {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        // Absent only if the table lacks the page or leaves it open: then the request is refused.
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Error::forbidden().into())
    }
}
