//! Faults for tests, on real sockets, disks and tables: a network between two programs that can be cut, silenced, slowed or
//! led elsewhere ([`Proxy`]), a disk that can be filled ([`SmallDisk`]), a table that cannot be written ([`TableLock`]).
//!
//! The faults of a mail server are those of [`Relay`](crate::mail_sink::relay::Relay).

mod disk;
mod lock;
mod proxy;

pub use disk::SmallDisk;
pub use lock::TableLock;
pub use proxy::{Network, Proxy};
