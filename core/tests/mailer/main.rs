//! The mails as they are written and as they leave, over a real SMTP conversation.
//! `cargo run --example mails -- FOLDER` writes them all to a folder, to be looked at.

mod render;
mod samples;
mod send;
mod server;
