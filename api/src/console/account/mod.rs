//! The pages of one's own account, for everybody who has one: profile, mails, sessions, password, calendar.
pub mod acts;
pub mod password;
pub mod second_factor;
pub mod show;
