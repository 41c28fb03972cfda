//! `lb_kind` and its like.

use super::Lower;
use crate::code;
use crate::model::{Forwarding, Tunnel, TunnelChecksum};
use crate::word::Line;

impl Lower<'_> {
    /// `NAT`, `DR` or `TUN [type …]`.
    pub(crate) fn forwarding(&mut self, line: &Line, kind: &str) -> Option<Forwarding> {
        let word = self.word(line, 1)?;
        match word.text.as_str() {
            "NAT" => return Some(Forwarding::Nat),
            "DR" => return Some(Forwarding::DirectRouting),
            "TUN" => {}
            other => {
                let message = format!("PARSER : unknown [{other}] routing method for {kind} server.");
                let mut diagnostic = diag::Diagnostic::warning(code::CHOICE, message).at(word.span);
                if ["NAT", "DR", "TUN"].contains(&other.to_ascii_uppercase().as_str()) {
                    diagnostic = diagnostic.note("methods are written in capitals");
                }
                self.report.push(diagnostic);
                return None;
            }
        }
        let mut tunnel = Tunnel::IpIp;
        let mut checksum = TunnelChecksum::None;
        let mut port: Option<u16> = None;
        let mut words = line.words.iter().skip(2);
        while let Some(option) = words.next() {
            match option.text.as_str() {
                "type" => {
                    let Some(value) = words.next() else {
                        self.say(
                            code::MISSING_PARAMETER,
                            option.span,
                            format!("Missing tunnel type for {kind} server."),
                        );
                        return None;
                    };
                    tunnel = match value.text.as_str() {
                        "ipip" => Tunnel::IpIp,
                        "gue" => Tunnel::Gue { port: 0, checksum },
                        "gre" => Tunnel::Gre { checksum },
                        other => {
                            let message = format!("Unknown tunnel type {other} for {kind} server.");
                            self.say(code::CHOICE, value.span, message);
                            return None;
                        }
                    };
                }
                "port" => {
                    let Some(value) = words.next() else {
                        let message = format!("Missing port for {kind} server gue tunnel.");
                        self.say(code::MISSING_PARAMETER, option.span, message);
                        return None;
                    };
                    port = self.unsigned(value, 1, 65535).and_then(|port| u16::try_from(port).ok());
                    if port.is_none() {
                        let message = format!("Invalid gue tunnel port {} for {kind} server.", value.text);
                        self.say(code::NUMBER, value.span, message);
                        return None;
                    }
                }
                "nocsum" => checksum = TunnelChecksum::None,
                "csum" => checksum = TunnelChecksum::Checksum,
                "remcsum" => checksum = TunnelChecksum::Remote,
                other => {
                    let message = format!("Invalid tunnel option {other} for {kind} server.");
                    self.say(code::CHOICE, option.span, message);
                    return None;
                }
            }
        }
        let tunnel = match (tunnel, port) {
            (Tunnel::Gue { .. }, Some(port)) => Tunnel::Gue { port, checksum },
            (Tunnel::Gue { .. }, None) | (_, Some(_)) => {
                let message = "gue tunnels require port, otherwise cannot have port.";
                self.say(code::VIRTUAL_SERVER, line.span, message);
                return None;
            }
            (Tunnel::Gre { .. }, None) => Tunnel::Gre { checksum },
            (Tunnel::IpIp, None) => Tunnel::IpIp,
        };
        Some(Forwarding::Tunnel(tunnel))
    }
}
