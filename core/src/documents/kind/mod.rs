//! Which files are accepted, and how a file's name and its first bytes must agree.
//! The content decides; the extension only says what the content should be.

#[cfg(test)]
mod tests;

/// The kinds of file that people may upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// `.jpg`, `.jpeg`
    Jpeg,
    /// `.png`
    Png,
    /// `.webp`
    Webp,
    /// `.gif`
    Gif,
    /// `.pdf`
    Pdf,
    /// `.txt`
    Txt,
    /// `.csv`
    Csv,
    /// `.docx`
    Docx,
    /// `.xlsx`
    Xlsx,
}

/// Why a file is not accepted, for the person who sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The name's extension is not that of an accepted type.
    Extension,
    /// The bytes are not what the extension says.
    Content {
        /// What they are, as an extension (`exe`), when they were recognised.
        found: Option<&'static str>,
    },
    /// The name has no extension.
    Missing,
    /// There are no bytes.
    Empty,
}

/// The number of a file's first bytes that [`FileKind::identify`] looks at.
pub const HEAD_BYTES: usize = 8 * 1024;

const ACCEPTED: &str = "jpg, png, webp, gif, pdf, txt, csv, docx, xlsx";

impl FileKind {
    const ALL: [Self; 9] = [
        Self::Jpeg,
        Self::Png,
        Self::Webp,
        Self::Gif,
        Self::Pdf,
        Self::Txt,
        Self::Csv,
        Self::Docx,
        Self::Xlsx,
    ];

    /// The kind of a file, from its name and its first bytes ([`HEAD_BYTES`] of them are enough).
    ///
    /// # Errors
    /// A [`Refusal`] unless the extension is an accepted one and the bytes agree with it.
    pub fn identify(file_name: &str, head: &[u8]) -> Result<Self, Refusal> {
        if head.is_empty() {
            return Err(Refusal::Empty);
        }
        let claim = Self::from_name(file_name)?;
        let head = &head[..head.len().min(HEAD_BYTES)];
        let found = infer::get(head).map(|found| found.extension());
        let agrees = match claim {
            Self::Jpeg | Self::Png | Self::Webp | Self::Gif => found == Some(claim.extension()),
            // PDF readers accept a header that is not at the very start. It counts if nothing else
            // was recognised.
            Self::Pdf => match found {
                Some(found) => found == "pdf",
                None => head[..head.len().min(1024)].windows(5).any(|bytes| bytes == b"%PDF-"),
            },
            Self::Txt | Self::Csv => is_text(head) && !is_formatted_text(found),
            // The first bytes may not show the kind of archive: the worker opens it.
            Self::Docx | Self::Xlsx => {
                head.starts_with(b"PK\x03\x04")
                    && !matches!(found, Some("docx" | "xlsx" | "pptx") if found != Some(claim.extension()))
            }
        };
        if agrees { Ok(claim) } else { Err(Refusal::Content { found }) }
    }

    fn from_name(file_name: &str) -> Result<Self, Refusal> {
        let name = last_part(file_name).trim();
        let extension = match name.rsplit_once('.') {
            Some((_, extension)) if !extension.is_empty() => extension.to_ascii_lowercase(),
            _ => return Err(Refusal::Missing),
        };
        Self::from_extension(&extension).ok_or(Refusal::Extension)
    }

    /// The kind whose files end in `.extension` (lower case, without the dot).
    #[must_use]
    pub fn from_extension(extension: &str) -> Option<Self> {
        let extension = if extension == "jpeg" { "jpg" } else { extension };
        Self::ALL.into_iter().find(|kind| kind.extension() == extension)
    }

    /// The extension of stored files of this kind, without the dot.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Png => "png",
            Self::Webp => "webp",
            Self::Gif => "gif",
            Self::Pdf => "pdf",
            Self::Txt => "txt",
            Self::Csv => "csv",
            Self::Docx => "docx",
            Self::Xlsx => "xlsx",
        }
    }

    /// The media type it is stored and served with. Text has no charset: it may be in any.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Webp => "image/webp",
            Self::Gif => "image/gif",
            Self::Pdf => "application/pdf",
            Self::Txt => "text/plain",
            Self::Csv => "text/csv",
            Self::Docx => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        }
    }

    /// Whether it is a picture, of which the worker makes a preview and a thumbnail.
    #[must_use]
    pub fn is_image(self) -> bool {
        matches!(self, Self::Jpeg | Self::Png | Self::Webp | Self::Gif)
    }

    /// Whether a browser may show it; every other kind is only offered for download.
    #[must_use]
    pub fn served_inline(self) -> bool {
        self.is_image() || self == Self::Pdf
    }
}

impl Refusal {
    /// The sentence for the user, in French.
    #[must_use]
    pub fn french(&self) -> String {
        match self {
            Self::Extension => {
                format!("Ce type de fichier n'est pas accepté. Envoyez un fichier {ACCEPTED}.")
            }
            Self::Content { found } => {
                let seems =
                    found.map(|e| format!(" (on dirait un fichier {e})")).unwrap_or_default();
                format!(
                    "Le contenu du fichier ne correspond pas à son extension{seems}. \
                     Vérifiez le fichier, ou envoyez un fichier {ACCEPTED}."
                )
            }
            Self::Missing => format!(
                "Le nom du fichier n'a pas d'extension. Renommez-le avec l'une de celles-ci : {ACCEPTED}."
            ),
            Self::Empty => format!(
                "Le fichier est vide. Vérifiez-le et renvoyez-le ; types acceptés : {ACCEPTED}."
            ),
        }
    }

    /// The sentence for the user, in English.
    #[must_use]
    pub fn english(&self) -> String {
        match self {
            Self::Extension => {
                format!("This type of file is not accepted. Please send one of: {ACCEPTED}.")
            }
            Self::Content { found } => {
                let seems = found.map(|e| format!(" (it looks like {e})")).unwrap_or_default();
                format!(
                    "The content of the file does not match its extension{seems}. \
                     Please check the file, or send one of: {ACCEPTED}."
                )
            }
            Self::Missing => {
                format!("The file name has no extension. Please rename it with one of: {ACCEPTED}.")
            }
            Self::Empty => format!(
                "The file is empty. Please check it and send it again; accepted types: {ACCEPTED}."
            ),
        }
    }
}

/// Whether all of `bytes` look like text: no control characters but tab, line feed, form feed and
/// carriage return.
///
/// Single-byte text and UTF-8 are checked alike: Excel writes CSV in Windows-1252 (or 1256 for
/// Arabic, or Mac Roman), which between them use every byte from 0x80 on. UTF-16 is text when it
/// has its byte order mark, as in Excel's "Unicode text".
#[must_use]
pub fn is_text(bytes: &[u8]) -> bool {
    let unwanted = |c: u32| (c < 0x20 && !matches!(c, 0x09 | 0x0A | 0x0C | 0x0D)) || c == 0x7F;
    let unit: fn([u8; 2]) -> u16 = match bytes {
        [0xFF, 0xFE, ..] => u16::from_le_bytes,
        [0xFE, 0xFF, ..] => u16::from_be_bytes,
        _ => return !bytes.iter().any(|&c| unwanted(c.into())),
    };
    // The head of a file always has an even number of bytes, unless it is all of the file.
    let (pairs, rest) = bytes.as_chunks::<2>();
    let mut chars = char::decode_utf16(pairs.iter().map(|&pair| unit(pair))).peekable();
    while let Some(c) = chars.next() {
        // The end of the head may cut a pair of units in two: only there half a pair is text.
        if c.map_or_else(|_| chars.peek().is_some(), |c| unwanted(c.into())) {
            return false;
        }
    }
    rest.is_empty()
}

/// Whether text was recognised as another format, which `.txt` and `.csv` would only disguise. The
/// other recognitions of text are coincidences: "BMCE Bank" is no bitmap, "MZ" no program.
fn is_formatted_text(found: Option<&str>) -> bool {
    matches!(found, Some("html" | "xml" | "sh" | "pdf" | "rtf" | "ps" | "gif"))
}

fn last_part(name: &str) -> &str {
    name.rsplit(['/', '\\']).next().unwrap_or_default()
}

/// The name that the client gave a file, made fit to keep and show: without folders, control
/// characters and those that reverse the direction of text (`gpj.exe` would read `exe.jpg`); at
/// most 255 characters, of which the extension stays; `document` when nothing is left.
#[must_use]
pub fn clean_name(name: &str) -> String {
    const MAX: usize = 255;
    let reverses = |c| matches!(c, '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    let clean: String =
        last_part(name).chars().filter(|&c| !c.is_control() && !reverses(c)).collect();
    let clean = clean.trim();
    if clean.is_empty() || clean.chars().all(|c| c == '.') {
        return "document".to_owned();
    }
    let len = clean.chars().count();
    if len <= MAX {
        return clean.to_owned();
    }
    let tail = match clean.rsplit_once('.') {
        Some((_, extension)) if extension.chars().count() < 16 => extension.chars().count() + 1,
        _ => 0,
    };
    let head = clean.chars().take(MAX - tail);
    head.chain(clean.chars().skip(len - tail)).collect()
}
