//! Decodes each uploaded file in a process of its own, so that no file can harm the worker.
//!
//! `erp-worker decode` is this same program: it reads one file from standard input, sets limits on itself that the kernel
//! enforces ([`confine()`]), decodes, and answers on standard output (`frame`). It has no settings, no secrets, no files
//! and no network. One process serves one file: starting it takes milliseconds, decoding a photo tens of them.
//!
//! The worker estimates from a file's header what decoding takes ([`Need`]), waits until that much of its budget is free,
//! and gives the process that and no more: all decoders together stay below the budget, whatever the files.

mod child;
mod confine;
mod frame;

use std::{
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::Arc,
};

use bytes::Bytes;
use erp_core::{
    Result,
    config::DecoderConfig,
    documents::{FileKind, jobs::ProcessDocument},
    jobs::Job as _,
};
use erp_files::{Content, Defect, Need, UNREADABLE};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::{Child, Command},
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};

pub use child::decode;
pub use confine::confine;

const MIB: u64 = 1 << 20;
/// Seconds of real time allowed for each second of processor time: the machine has other work.
const PATIENCE: u32 = 3;
/// The most bytes of an answer, beyond the size of the file itself.
const MAX_DERIVED: u64 = 16 * MIB;
/// The most bytes that are kept of a decoder's error output.
const MAX_SAID: u64 = 4096;

const TOO_LONG: Defect = Defect::new(
    "Le fichier demande trop de temps pour être lu : simplifiez-le ou enregistrez-le à nouveau, et renvoyez-le.",
);
const TOO_MUCH: Defect = Defect::new(
    "Le fichier demande trop de mémoire pour être lu : allégez-le ou enregistrez-le à nouveau, et renvoyez-le.",
);

/// The path of this program. On Linux it is valid even when an upgrade has replaced the file.
#[must_use]
pub fn own_program() -> PathBuf {
    if cfg!(target_os = "linux") {
        Path::new("/proc/self/exe").to_owned()
    } else {
        std::env::current_exe().unwrap_or_default()
    }
}

/// The decoders of this process, and the limits that they share.
#[derive(Debug, Clone)]
pub(crate) struct Decoders(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    program: PathBuf,
    config: DecoderConfig,
    /// One permit for each file that may be in memory.
    places: Semaphore,
    /// One permit for each MiB of address space that is free.
    budget: Semaphore,
}

impl Decoders {
    pub(crate) fn new(program: PathBuf, config: DecoderConfig) -> Self {
        Self(Arc::new(Inner {
            program,
            config,
            places: Semaphore::new(ProcessDocument::CONCURRENCY),
            budget: Semaphore::new(config.memory_mib as usize),
        }))
    }

    /// Waits for the right to hold a file in memory; to be called before the file is read.
    pub(crate) async fn place(&self) -> Result<SemaphorePermit<'_>> {
        Ok(self.0.places.acquire().await.map_err(anyhow::Error::from)?)
    }

    /// Decodes a file as [`erp_files::examine`] does, in a process that ends with this future. A defect is
    /// final, even when it is that the file ran into a limit; an error is not the fault of the file.
    pub(crate) async fn examine(
        &self,
        bytes: &Bytes,
        kind: FileKind,
    ) -> Result<Result<Content, Defect>> {
        let config = self.0.config;
        let need = Need::of(bytes, kind).bytes.div_ceil(MIB);
        // A file that needs more than the whole budget gets all of it, and the decoder reports the defect.
        let share = u32::try_from(need).unwrap_or(u32::MAX).min(config.memory_mib);
        let held = self.0.budget.acquire_many(share).await.map_err(anyhow::Error::from)?;

        let mut child = self.spawn(bytes.len(), kind, share)?;
        let limit = config.processor_time * PATIENCE;
        let ended = timeout(limit, converse(&mut child, bytes)).await;
        let answer = match ended {
            Ok(ended) => {
                let (status, out, said) = ended.map_err(anyhow::Error::from)?;
                outcome(status, &out, &said, kind)
            }
            Err(_late) => {
                tracing::warn!(kind = kind.extension(), ?limit, "a decoder was killed: too slow");
                child.kill().await.map_err(anyhow::Error::from)?;
                Ok(Err(TOO_LONG))
            }
        };
        drop(held);
        answer
    }

    fn spawn(&self, len: usize, kind: FileKind, share: u32) -> Result<Child> {
        let mut command = Command::new(&self.0.program);
        // Ctrl-C is for the worker only, which lets its decoders finish.
        #[cfg(unix)]
        command.process_group(0);
        let child = command
            .args(["decode", kind.extension(), &len.to_string()])
            .arg((u64::from(share) * MIB).to_string())
            .arg(self.0.config.processor_time.as_secs().to_string())
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        Ok(child.map_err(|error| anyhow::Error::from(error).context("cannot start a decoder"))?)
    }
}

/// Writes the file to the child, and reads its output and its errors until it has ended.
async fn converse(
    child: &mut Child,
    bytes: &[u8],
) -> std::io::Result<(ExitStatus, Vec<u8>, Vec<u8>)> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let give = async {
        if let Some(mut stdin) = stdin {
            // A child that has ended takes no more; its status says why.
            let _ = stdin.write_all(bytes).await;
        }
    };
    let (mut out, mut said) = (Vec::new(), Vec::new());
    let most = bytes.len() as u64 + MAX_DERIVED;
    let take = async {
        match stdout {
            Some(stdout) => stdout.take(most).read_to_end(&mut out).await,
            None => Ok(0),
        }
    };
    let listen = async {
        match stderr {
            Some(stderr) => stderr.take(MAX_SAID).read_to_end(&mut said).await,
            None => Ok(0),
        }
    };
    let (status, (), taken, heard) = tokio::join!(child.wait(), give, take, listen);
    taken?;
    heard?;
    Ok((status?, out, said))
}

/// What the end of the child means for its file.
fn outcome(
    status: ExitStatus,
    out: &[u8],
    said: &[u8],
    kind: FileKind,
) -> Result<Result<Content, Defect>> {
    let said = String::from_utf8_lossy(said);
    let defect = match ending(status) {
        Ending::Done => match frame::read(out) {
            Some(answer) => return Ok(answer),
            None => UNREADABLE,
        },
        Ending::NotBegun => {
            let why = anyhow::anyhow!("a decoder could not begin: {}", said.trim());
            return Err(why.into());
        }
        // By the kernel for want of memory, or by an operator: the file may be good.
        Ending::Killed => return Err(anyhow::anyhow!("a decoder was killed from outside").into()),
        Ending::TooLong => TOO_LONG,
        Ending::Died if said.contains("memory allocation of") => TOO_MUCH,
        Ending::Died => UNREADABLE,
    };
    tracing::warn!(kind = kind.extension(), %status, said = said.trim(), "a decoder died of a file");
    Ok(Err(defect))
}

#[cfg_attr(not(unix), expect(dead_code, reason = "some are signals"))]
enum Ending {
    Done,
    /// It failed before it decoded the file.
    NotBegun,
    /// By a signal from another process: for want of memory, or when the whole unit or terminal is told to stop.
    Killed,
    /// Its processor time is used up.
    TooLong,
    /// By any other limit, or by a fault of its own.
    Died,
}

fn ending(status: ExitStatus) -> Ending {
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt as _;

        use rustix::process::Signal;

        let is = |signal: Signal| status.signal() == Some(signal.as_raw());
        let from_outside = [Signal::KILL, Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT];
        if from_outside.into_iter().any(is) {
            return Ending::Killed;
        }
        if is(Signal::XCPU) {
            return Ending::TooLong;
        }
    }
    match status.code() {
        Some(0) => Ending::Done,
        Some(1) => Ending::NotBegun,
        _ => Ending::Died,
    }
}
