//! Sends mails. One attempt is about one mail: it checks whether the mail may leave, transmits it, and records how that
//! ended.
//!
//! Up to the server's `354` several conversations run at once and leave nothing in doubt. Then a mail is claimed: its id
//! and its bytes are committed as `en_transmission`. The body and the dot are sent, and the server's answer is committed.
//! One mail at a time in a process is between claim and record (the default of `EMAILS_TRANSMISSIONS`), so that a process
//! that is killed leaves one mail in doubt, and its row says which.
mod compose;
mod pace;
pub mod preview;
mod record;

use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

use anyhow::anyhow;
use erp_core::{
    Code, Error, Result,
    config::InDoubt,
    jobs::{Dependency, Verdict},
    mailer::{Conversation, Frozen, Renderer, Transmission},
    notifications::{
        jobs::{SendAccountMail, SendEmail, SendGroup, SendMail},
        outgoing_mails::{self, Ending, Envoi, StatutEnvoi},
    },
    preferences,
};

use self::record::{close_if_empty, note, patiently, record};
use crate::work::Work;

static RENDERER: LazyLock<Result<Renderer>> = LazyLock::new(Renderer::new);

/// An attempt that has waited for its turn for so long begins anew: a server closes a connection on which nothing comes
/// ([RFC 5321, 4.5.3.2.7](https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.2.7) allows it after five minutes, and
/// servers under load do it sooner).
const TURN_LIMIT: Duration = Duration::from_secs(20);
/// The pause before an attempt looks again at a mail that another attempt is sending.
const UNDER_WAY: Duration = Duration::from_secs(10);

/// The longest time from claim to transmission. A process that was frozen for longer does not send: others may take it for
/// dead.
const FRESH: Duration = Duration::from_secs(5);

pub(crate) fn renderer() -> Result<&'static Renderer> {
    RENDERER.as_ref().map_err(|error| anyhow!("{error}").into())
}

/// A job type of the release before: adds its notification to a mail.
pub(crate) async fn adopt(work: Work, job: SendEmail) -> Result<()> {
    let mut tx = work.begin().await?;
    outgoing_mails::adopt(&mut tx, job.notification_id, work.clock.now()).await?;
    tx.commit().await
}

/// A job type of the release before.
pub(crate) async fn send_group(work: Work, job: SendGroup) -> Result<Verdict> {
    attempt(&work, job.envoi_id).await
}

pub(crate) async fn send(work: Work, job: SendMail) -> Result<Verdict> {
    attempt(&work, job.envoi_id).await
}

pub(crate) async fn send_account_mail(work: Work, job: SendAccountMail) -> Result<Verdict> {
    attempt(&work, job.envoi_id).await
}

async fn attempt(work: &Work, envoi_id: i64) -> Result<Verdict> {
    let Some(envoi) = outgoing_mails::find(&work.pool, envoi_id).await? else {
        return Ok(Verdict::Done);
    };
    match envoi.statut {
        StatutEnvoi::EnFile => {}
        // Another job of this mail is sending it: an operator has requested it twice.
        StatutEnvoi::EnTransmission if envoi.is_under_way => return Ok(Verdict::Snooze(UNDER_WAY)),
        // An earlier attempt began to send it, and did not record the end.
        StatutEnvoi::EnTransmission if must_arrive(work, envoi_id).await? => {}
        StatutEnvoi::EnTransmission => {
            let reason = "le processus qui l'envoyait a disparu avant la réponse du serveur";
            record(work, envoi_id, &Ending::Incertaine(reason.to_owned())).await?;
            return Ok(Verdict::Done);
        }
        _ => return Ok(Verdict::Done),
    }
    if !envoi.has_contents && close_if_empty(work, envoi_id).await? {
        return Ok(Verdict::Done);
    }
    // The mail may have waited until now because the server was away.
    if let Some(pause) = quiet(work, &envoi).await? {
        return Ok(Verdict::Snooze(pause));
    }
    if let Some(instead) = pace::begin(work).await? {
        return Ok(instead);
    }
    let conversation = tokio::select! {
        opened = work.mailer.open(&envoi.email) => opened,
        () = work.cancelled() => return Ok(Verdict::Snooze(Duration::ZERO)),
    };
    match conversation {
        Ok(conversation) => {
            work.answered(Dependency::Smtp);
            transmit(work, &envoi, conversation).await
        }
        Err(error) => {
            // Only the server itself gives this answer.
            if matches!(error, Error::Deferred(_)) {
                work.answered(Dependency::Smtp);
            }
            note(work, envoi_id, &not_now(&envoi, error.to_string())).await?;
            Err(error)
        }
    }
}

/// The state of a mail that this attempt did not send: it waits for another attempt. An end that an earlier attempt left in
/// doubt stays in doubt.
fn not_now(envoi: &Envoi, why: String) -> Ending {
    match envoi.statut {
        StatutEnvoi::EnTransmission => Ending::EnDoute(why),
        _ => Ending::EnFile(why),
    }
}

/// How long the quiet hours of the reader hold a mail back. They do not hold back a mail whose transmission was begun
/// before, nor a notice about an account, which may report a break-in.
async fn quiet(work: &Work, envoi: &Envoi) -> Result<Option<Duration>> {
    if envoi.is_frozen || envoi.avis.is_some() {
        return Ok(None);
    }
    let wants = preferences::find(&work.pool, envoi.user_id).await?;
    Ok(wants.quiet_for(work.clock.now()))
}

/// Claims the mail, sends it, and records what the server said.
async fn transmit(work: &Work, envoi: &Envoi, conversation: Conversation) -> Result<Verdict> {
    let turn = tokio::select! {
        biased;
        () = work.cancelled() => return Ok(Verdict::Snooze(Duration::ZERO)),
        turn = work.mailer.turn() => turn?,
        () = tokio::time::sleep(TURN_LIMIT) => return Ok(Verdict::Snooze(Duration::ZERO)),
    };
    // Nothing is begun that the end of the process would leave in doubt.
    if work.is_cancelled() {
        return Ok(Verdict::Snooze(Duration::ZERO));
    }
    if let Some(instead) = pace::transmit(work).await? {
        return Ok(instead);
    }
    let (frozen, claimed) = match claim(work, envoi, &conversation).await {
        Ok(Claim::Frozen(frozen, claimed)) => (frozen, claimed),
        Ok(Claim::Nothing) => return Ok(Verdict::Done),
        Ok(Claim::Another) => return Ok(Verdict::Snooze(UNDER_WAY)),
        Ok(Claim::OtherAddress) => return Ok(Verdict::Snooze(Duration::ZERO)),
        Err(error) if error.is_unavailable() => {
            // The commit may have succeeded although no answer came. Nothing was sent, and only this attempt knows it, so
            // it records that.
            record(work, envoi.id, &not_now(envoi, error.to_string())).await?;
            return Err(error);
        }
        Err(error) => return Err(error),
    };
    let outcome = if claimed.elapsed() < FRESH {
        conversation.transmit(&frozen.bytes).await
    } else {
        drop(conversation);
        Transmission::NotSent("le processus a été arrêté un moment avant l'envoi".to_owned())
    };
    let ended = conclude(work, envoi, outcome).await;
    drop(turn);
    ended
}

/// The outcome of a claim.
enum Claim {
    /// These bytes are to be sent now; with the time just before the claim was committed.
    Frozen(Frozen, Instant),
    /// Another attempt at this mail was faster.
    Another,
    /// There is nothing to say any more.
    Nothing,
    /// The reader's address has changed since the conversation was opened.
    OtherAddress,
}

async fn claim(work: &Work, envoi: &Envoi, conversation: &Conversation) -> Result<Claim> {
    let now = work.clock.now();
    let mut tx = work.begin().await?;
    let waiting = outgoing_mails::close(&mut tx, envoi.id, now).await?;
    let frozen = match outgoing_mails::frozen(&mut *tx, envoi.id).await? {
        // A link that is no longer good is sent to nobody.
        Some(_) if !compose::link_is_good(&mut tx, envoi, now).await? => None,
        Some(frozen) => Some(frozen),
        None => compose::mail(work, &mut tx, envoi, &waiting, now).await?,
    };
    let Some(frozen) = frozen else {
        let ending = match envoi.statut {
            StatutEnvoi::EnTransmission => {
                Ending::Incertaine("le lien a pris fin avant la réponse du serveur".to_owned())
            }
            _ => Ending::Annulee,
        };
        outgoing_mails::record(&mut tx, envoi.id, &ending, now).await?;
        tx.commit().await?;
        return Ok(Claim::Nothing);
    };
    if !conversation.is_to(&frozen.to_email) {
        return Ok(Claim::OtherAddress);
    }
    let by = work.lease.as_ref().map(|lease| (lease.job_id.as_str(), lease.since));
    if !outgoing_mails::claim(&mut tx, envoi, &frozen, by, now).await? {
        return Ok(Claim::Another);
    }
    let claimed = Instant::now();
    tx.commit().await?;
    Ok(Claim::Frozen(frozen, claimed))
}

/// Records how a transmission ended, and returns what becomes of the job.
async fn conclude(work: &Work, envoi: &Envoi, outcome: Transmission) -> Result<Verdict> {
    let (ending, then) = match outcome {
        Transmission::Accepted => (Ending::Envoyee, Ok(Verdict::Done)),
        Transmission::NotSent(why) => {
            (not_now(envoi, why.clone()), Err(Error::unavailable("smtp", anyhow!(why))))
        }
        Transmission::Deferred(why) => (not_now(envoi, why.clone()), Err(Error::Deferred(why))),
        Transmission::Refused(why) => {
            let refused = Error::refused(Code::SmtpRefuse, why.clone(), why.clone());
            (not_now(envoi, why), Err(refused))
        }
        Transmission::InDoubt(why) if patiently(|| must_arrive(work, envoi.id)).await? => {
            (Ending::EnDoute(why.clone()), Err(Error::unavailable("smtp", anyhow!(why))))
        }
        Transmission::InDoubt(why) => (Ending::Incertaine(why), Ok(Verdict::Done)),
    };
    record(work, envoi.id, &ending).await?;
    then
}

/// Whether a mail whose end is in doubt is sent again (`EMAILS_INCERTAINS`).
async fn must_arrive(work: &Work, envoi_id: i64) -> Result<bool> {
    match work.config.mail.in_doubt {
        InDoubt::Resend => Ok(true),
        InDoubt::Keep => Ok(false),
        InDoubt::ByType => outgoing_mails::must_arrive(&work.pool, envoi_id).await,
    }
}
