//! What a fuzzer may throw bytes at.

use crate::exchange::Exchange;
use crate::feed::{Feed, Interests};
use crate::message::Messages;
use crate::operation::Part;

/// Takes a datagram as if the kernel had sent it, through every decoder.
pub fn decode(datagram: &[u8]) {
    let mut feed = Feed::new(Interests::ALL, 0);
    for _ in 0..4 {
        let _ = feed.poll_request();
        feed.handle(datagram);
        while feed.poll_event().is_some() {}
        let _ = feed.take_failure();
    }
    let part = Part { kind: 16, flags: libc::NLM_F_DUMP as u16, body: Some(Vec::new()) };
    if let Ok((mut exchange, _)) = Exchange::new(1, [&part]) {
        let _ = exchange.handle(datagram, |_, _| Ok(()));
    }
    for message in Messages::new(datagram).flatten() {
        let _ = message.refusal();
        crate::generic::decode(message.payload);
        crate::ipvs::decode(message.payload);
        crate::nftables::decode(message.payload);
    }
    crate::process_events::decode(datagram);
}
