//! `SMTP_CHECK`.

use super::engine::Ended;
use super::link::Link;
use super::plan::whole;
use super::stream::{Read, Talk};
use check::checker::smtp::{SmtpTalk, Turn};
use check::checker::{Attempt, Failure};
use reactor::{now, timeout_at};
use std::net::SocketAddr;

/// Has the conversation.
pub(super) async fn check(link: &Link, to: SocketAddr, helo_name: &str) -> Ended {
    match timeout_at(now() + whole(link.timeout), converse(link, to, helo_name)).await {
        Ok(ended) => ended,
        Err(_) => Ended::because(Failure::ReadTimeout, "the conversation takes too long".to_owned()),
    }
}

async fn converse(link: &Link, to: SocketAddr, helo_name: &str) -> Ended {
    let mut talk = match Talk::plain(link, to).await {
        Ok(talk) => talk,
        Err(ended) => return ended,
    };
    let mut smtp = SmtpTalk::new();
    let mut heard = false;
    loop {
        let mut turn = Turn::Wait;
        match talk.receive(|bytes| turn = smtp.feed(helo_name, bytes)).await {
            Err(_) if heard => return Ended::failed(Failure::ReadTimeout),
            Err(_) => return Ended::failed(Failure::SilenceTimeout),
            Ok(Read::Data) => heard = true,
            Ok(Read::End(_)) => return Ended::failed(Failure::Read(0)),
            Ok(Read::Failed(failure, detail)) => return Ended::because(failure, detail),
        }
        match turn {
            Turn::Wait => {}
            Turn::Send(bytes) => {
                if let Err(ended) = talk.send(&bytes).await {
                    return ended;
                }
            }
            Turn::Done(result) => return Ended::Attempt(Attempt::from(result), None),
        }
    }
}
