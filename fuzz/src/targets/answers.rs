//! What a kernel answers.

use netlink::Messages;

/// Any datagram of a netlink socket, through every decoder: none of them reads more than there is.
pub fn netlink_answer(data: &[u8]) {
    netlink::fuzz::decode(data);
    let mut read = 0;
    for message in Messages::new(data).flatten() {
        read += message.payload.len();
        assert!(message.refusal().is_ok() || message.payload.len() < 4);
    }
    assert!(read <= data.len());
}
