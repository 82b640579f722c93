//! The pages of one's own account, for everybody who has one: profile, mails, sessions, password, calendar, keys, data.
pub mod acts;
pub mod api_keys;
pub mod password;
pub mod personal_data;
pub mod second_factor;
pub mod show;
