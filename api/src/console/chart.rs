//! Charts of an hour, drawn here as SVG: a bar a minute, what failed on top of what was done.
use chrono::TimeDelta;
use erp_core::operate::programs::{CHART_MINUTES, Count};
use maud::{Markup, html};

use super::{
    viewer::Viewer,
    words::{count, duration, tenths},
};

/// The height of the drawing, in its own units; a minute is two wide.
const HEIGHT: i32 = 24;

/// The chart of one queue, with its sums in words for who does not see it.
pub fn show(viewer: &Viewer, queue: &str, minutes: &[Count]) -> Markup {
    let (done, failed) = sums(minutes);
    let most = minutes.iter().map(|minute| minute.done + minute.failed).max().unwrap_or(0).max(1);
    let width = 2 * CHART_MINUTES;
    let words = viewer.say(
        format!("{queue}, dernière heure\u{a0}: faites {done}, échouées {failed}"),
        format!("{queue}, last hour: done {done}, failed {failed}"),
    );
    html! {
        svg.courbe role="img" aria-label=(words) viewBox={ "0 0 " (width) " " (HEIGHT) } width=(width) height=(HEIGHT) preserveAspectRatio="none" {
            @for (at, minute) in minutes.iter().enumerate() {
                @let (bad, good) = (scaled(minute.failed, most), scaled(minute.done, most));
                @if good > 0 { rect.bon x=(2 * at) y=(HEIGHT - good) width="1.6" height=(good) {} }
                @if bad > 0 { rect.mal x=(2 * at) y=(HEIGHT - good - bad) width="1.6" height=(bad) {} }
            }
        }
        div.note {
            (count(done)) (viewer.say(if done < 2 { " faite" } else { " faites" }, " done"))
            @if let Some(mean) = mean(minutes) { ", " (duration(viewer.langue, mean)) (viewer.say(" en moyenne", " each")) }
            @if done >= 360 { ", " (per_second(viewer, done)) "/s" }
            @if failed > 0 { " · " span.erreur { (count(failed)) (viewer.say(if failed == 1 { " échouée" } else { " échouées" }, " failed")) } }
        }
    }
}

/// What was done and what failed, in all.
pub fn sums(minutes: &[Count]) -> (i64, i64) {
    let sum = |of: fn(&Count) -> i32| minutes.iter().map(|minute| i64::from(of(minute))).sum();
    (sum(|minute| minute.done), sum(|minute| minute.failed))
}

/// How long an attempt took, in the mean; `None` if there was none.
fn mean(minutes: &[Count]) -> Option<TimeDelta> {
    let (done, failed) = sums(minutes);
    let millis: i64 = minutes.iter().map(|minute| minute.millis).sum();
    millis.checked_div(done + failed).map(TimeDelta::milliseconds)
}

/// The height of a part: at least one if there is anything, so that no failure is too small to see.
fn scaled(part: i32, most: i32) -> i32 {
    if part <= 0 {
        0
    } else {
        (i64::from(part) * i64::from(HEIGHT - 2) / i64::from(most))
            .try_into()
            .unwrap_or(HEIGHT)
            .max(1)
    }
}

/// The mean of an hour, in tenths where it is small.
fn per_second(viewer: &Viewer, done: i64) -> String {
    let mean = done * 10 / 3600;
    if mean >= 100 { count(mean / 10) } else { tenths(viewer.langue, mean) }
}
