//! The mails as they are written and as they leave, over a real SMTP conversation.
//! `erp-worker preview-mails FOLDER` writes them all to a folder, to be looked at.

mod digest;
mod groupe;
mod render;
mod send;
mod server;
