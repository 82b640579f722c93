//! What the local folder needs beside `object_store`:
//! reading in bigger pieces, and removing what a killed process left half written.

use std::{fs, io, ops::Range, path::Path, time::SystemTime};

use bytes::{Bytes, BytesMut};
use futures_util::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

/// The most bytes of one read. `object_store` reads 8 KiB at a time, each on the pool of blocking threads.
const PIECE: usize = 64 * 1024;

/// The bytes of `range`, which ends at the end of the file or before.
pub(super) fn read(
    file: fs::File,
    range: Range<u64>,
) -> BoxStream<'static, object_store::Result<Bytes>> {
    let left = range.end - range.start;
    let state = (tokio::fs::File::from_std(file), Some(range.start), left);
    stream::try_unfold(state, |(mut file, seek, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        if let Some(start) = seek {
            file.seek(io::SeekFrom::Start(start)).await?;
        }
        let mut piece = BytesMut::with_capacity(PIECE);
        let read = (&mut file).take(left).read_buf(&mut piece).await? as u64;
        if read == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
        }
        Ok(Some((piece.freeze(), (file, None, left - read))))
    })
    .map(|piece| {
        piece.map_err(|e| object_store::Error::Generic { store: "folder", source: Box::new(e) })
    })
    .boxed()
}

/// Staged files of one key that are looked for: more than the processes that may be killed while they write one file, since a
/// job that kills three is dead.
const MOST_STAGED: u32 = 8;

/// Removes the staged files of `file`. `object_store` numbers them from 1 upwards, and ignores
/// those that another process has left.
pub(super) fn remove_staged_of(file: &Path) -> io::Result<()> {
    for n in 1..=MOST_STAGED {
        let mut staged = file.as_os_str().to_owned();
        staged.push(format!("#{n}"));
        match fs::remove_file(&staged) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Removes files named `<key>#<number>`, as `object_store` names what it is still writing, if
/// they were last written before `time`; returns how many.
pub(super) fn remove_staged(folder: &Path, time: SystemTime) -> io::Result<u64> {
    let mut removed = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            removed += remove_staged(&entry.path(), time)?;
            continue;
        }
        let name = entry.file_name();
        let staged = name
            .to_str()
            .and_then(|name| name.rsplit_once('#'))
            .is_some_and(|(_, n)| !n.is_empty() && n.bytes().all(|c| c.is_ascii_digit()));
        if !staged {
            continue;
        }
        // Another worker may sweep the same folder: a file that is gone already is no error.
        let old = entry.metadata().and_then(|found| found.modified()).is_ok_and(|at| at < time);
        if old && fs::remove_file(entry.path()).is_ok() {
            removed += 1;
        }
    }
    Ok(removed)
}
