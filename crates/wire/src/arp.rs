//! Gratuitous ARP (RFC 826, RFC 5227): "this address is here".

use core::net::Ipv4Addr;

/// Bytes of a frame.
pub const FRAME_LEN: usize = 42;

/// A gratuitous ARP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gratuitous {
    /// The hardware address that has the address.
    pub hardware: [u8; 6],
    /// The address.
    pub address: Ipv4Addr,
    /// A reply in place of a request; keepalived sends requests.
    pub reply: bool,
}

impl Gratuitous {
    /// The Ethernet frame, to all stations.
    pub fn frame(&self) -> [u8; FRAME_LEN] {
        let mut frame = [0; FRAME_LEN];
        let op = if self.reply { 2 } else { 1 };
        let parts: [&[u8]; 9] = [
            &[0xff; 6],
            &self.hardware,
            &[0x08, 0x06],
            &[0, 1, 0x08, 0x00, 6, 4, 0, op],
            &self.hardware,
            &self.address.octets(),
            &[0xff; 6],
            &self.address.octets(),
            &[],
        ];
        for (place, byte) in frame.iter_mut().zip(parts.into_iter().flatten()) {
            *place = *byte;
        }
        frame
    }
}
