//! The pages of one's own account, for everybody who has one: profile, mails, sessions, password, calendar, keys.
pub mod acts;
pub mod api_keys;
pub mod password;
pub mod second_factor;
pub mod show;
