//! Log lines for people: the local time of day, the level, the message, and the fields that are not empty.
use std::fmt::{self, Debug};

use chrono::Local;
use tracing::field::{Field, Visit};
use tracing_subscriber::{
    field::RecordFields,
    fmt::{FormatFields, format::Writer, time::FormatTime},
};

/// `14:03:27`, by the clock of this machine.
#[derive(Debug)]
pub(super) struct TimeOfDay;

impl FormatTime for TimeOfDay {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        write!(writer, "{}", Local::now().format("%H:%M:%S"))
    }
}

/// The message, then `name=value` for each field that is not empty.
#[derive(Debug)]
pub(super) struct Fields;

impl<'writer> FormatFields<'writer> for Fields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut line = Line { writer, is_first: true, written: Ok(()) };
        fields.record(&mut line);
        line.written
    }
}

struct Line<'writer> {
    writer: Writer<'writer>,
    is_first: bool,
    written: fmt::Result,
}

impl Visit for Line<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.record_debug(field, &format_args!("{value}"));
        } else {
            self.record_debug(field, &value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let value = format!("{value:?}");
        if self.written.is_err() || matches!(value.as_str(), "" | "\"\"" | "None") {
            return;
        }
        let space = if std::mem::take(&mut self.is_first) { "" } else { " " };
        self.written = match field.name() {
            "message" => write!(self.writer, "{space}{value}"),
            name => write!(self.writer, "{space}{name}={value}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use tracing::subscriber::with_default;

    use super::*;

    #[derive(Clone, Default)]
    struct Said(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Said {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_says_when_how_grave_what_and_nothing_empty() {
        let said = Said::default();
        let writer = said.clone();
        let subscriber = tracing_subscriber::fmt()
            .compact()
            .with_target(false)
            .with_ansi(false)
            .with_timer(TimeOfDay)
            .fmt_fields(Fields)
            .with_writer(move || writer.clone())
            .finish();
        with_default(subscriber, || {
            let span = tracing::info_span!("job", kind = "emails", request_id = "");
            let _in = span.enter();
            tracing::warn!(place = "quai 4", error = "", cause = ?None::<u8>, tries = 3, "again {}", 1);
        });
        let said = String::from_utf8(said.0.lock().unwrap().clone()).unwrap();
        let (time, rest) = said.split_at(8);
        assert!(chrono::NaiveTime::parse_from_str(time, "%H:%M:%S").is_ok(), "{said}");
        let rest = rest.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(rest, "WARN job: again 1 place=\"quai 4\" tries=3 kind=\"emails\"");
    }
}
