//! The bodies of the targets.

mod adverts;
mod answers;
mod checkers;
mod config;
mod format;
mod heads;
mod keepalived;

pub use adverts::advert;
pub use answers::netlink_answer;
pub use checkers::{dns_reply, echo_reply, http_answer, regex, smtp_reply, udp_reply};
pub use config::{NEXT_FILE, address, condition, config};
pub use format::log_format;
pub use heads::{chunks, error_page, request_head, response_head};
pub use keepalived::keepalived_config;
