//! What is kept about how somebody signs in, and its end.
use crate::{Result, Tx};

/// Removes the sessions of user `id`, also those that ended, with where they were opened from; their devices, second factor, API keys
/// and counts of failed attempts. Their access has ended already.
pub(crate) async fn forget_person(tx: &mut Tx<'_>, id: i64) -> Result<()> {
    sqlx::query!("delete from sessions where user_id = $1", id).execute(&mut **tx).await?;
    sqlx::query!("delete from appareils where user_id = $1", id).execute(&mut **tx).await?;
    // With its recovery codes and trusted devices.
    sqlx::query!("delete from seconds_facteurs where user_id = $1", id).execute(&mut **tx).await?;
    super::api_keys::revoke_all(tx, id).await?;
    sqlx::query!(
        r#"
            delete from login_failures f using users u
            where u.id = $1 and f.compte in ('id:' || u.id, 'code:' || u.id, 'nom:' || lower(u.email), 'nom:' || lower(u.username))
        "#,
        id,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
