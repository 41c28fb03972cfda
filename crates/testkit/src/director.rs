//! The director beside Debian's keepalived: the same configuration, servers and faults for both, each in a network
//! namespace of its own; and what can be seen of either after each step, compared.
//!
//! Cases are text files ([`case`]). A [`world`] is a namespace with fake servers ([`server`]), a mail server, a FIFO and
//! scripts that write down how they are called. [`play`] runs a case in two of them and says what differs.

pub mod case;
pub mod compare;
pub mod play;
pub mod server;
pub mod world;
