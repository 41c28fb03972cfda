//! `DNS_CHECK`: one query, and whether the answer is one.

use super::attempt::Failure;
use core::fmt;

/// A query (RFC 1035 4.1), but for its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsQuery(Box<[u8]>);

/// Why a name cannot be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameError {
    /// A label is empty.
    EmptyLabel,
    /// A label has more than 63 bytes.
    LongLabel,
    /// The name has more than 255 bytes.
    LongName,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EmptyLabel => "a label of the name is empty",
            Self::LongLabel => "a label of the name is longer than 63 bytes",
            Self::LongName => "the name is longer than 255 bytes",
        })
    }
}

const HEADER: usize = 12;
const RESPONSE: u8 = 0x80;

impl DnsQuery {
    /// Asks for records of type `query` of a name, with or without a dot at its end; the root is `.` or nothing.
    ///
    /// # Errors
    /// When the name cannot be put into a query.
    pub fn new(name: &str, query: u16) -> Result<Self, NameError> {
        let mut bytes = vec![0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        let name = name.strip_suffix('.').unwrap_or(name);
        for label in name.split('.').filter(|_| !name.is_empty()) {
            match u8::try_from(label.len()) {
                Ok(0) => return Err(NameError::EmptyLabel),
                Ok(len @ 1..=63) => bytes.push(len),
                _ => return Err(NameError::LongLabel),
            }
            bytes.extend_from_slice(label.as_bytes());
        }
        bytes.push(0);
        if bytes.len() - HEADER > 255 {
            return Err(NameError::LongName);
        }
        bytes.extend_from_slice(&query.to_be_bytes());
        bytes.extend_from_slice(&1u16.to_be_bytes());
        Ok(Self(bytes.into()))
    }

    /// The datagram to send, with an id nobody can guess.
    pub fn datagram(&self, id: u16) -> Vec<u8> {
        id.to_be_bytes().into_iter().chain(self.0.iter().copied().skip(2)).collect()
    }
}

/// What a datagram means that came after the query with this id; `None`: nothing, the answer may yet come.
///
/// An answer that is cut short or has no records is still an answer.
pub fn answer(id: u16, datagram: &[u8]) -> Option<Result<(), Failure>> {
    let (header, _) = datagram.split_first_chunk::<HEADER>()?;
    let [id_high, id_low, flags_high, flags_low, ..] = *header;
    if u16::from_be_bytes([id_high, id_low]) != id || flags_high & RESPONSE == 0 {
        return None;
    }
    Some(match flags_low & 0x0f {
        0 => Ok(()),
        code => Err(Failure::Rcode(code)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// As keepalived 2.2.7 sent them.
    #[test]
    fn queries() {
        let query = |name, kind, id| hex(&DnsQuery::new(name, kind).unwrap().datagram(id));
        assert_eq!(
            query("www.example.com", 1, 0x5531),
            "55310100000100000000000003777777076578616d706c6503636f6d0000010001"
        );
        assert_eq!(query(".", 6, 0x70ad), "70ad010000010000000000000000060001");
        assert_eq!(query("", 6, 0x70ad), "70ad010000010000000000000000060001");
        assert_eq!(
            query("example.org.", 48, 0x893b),
            "893b01000001000000000000076578616d706c65036f72670000300001"
        );
    }

    #[test]
    fn names_that_cannot_be_asked_for() {
        let error = |name: &str| DnsQuery::new(name, 1).unwrap_err();
        assert_eq!(error("a..b"), NameError::EmptyLabel);
        assert_eq!(error(".a"), NameError::EmptyLabel);
        assert_eq!(error("a.."), NameError::EmptyLabel);
        assert_eq!(error(&"a".repeat(64)), NameError::LongLabel);
        assert_eq!(error(&"a".repeat(300)), NameError::LongLabel);
        assert_eq!(error(&vec!["abcdefg"; 32].join(".")), NameError::LongName);
        assert!(DnsQuery::new(&format!("{}.", "a".repeat(63)), 1).is_ok());
    }

    #[test]
    fn answers() {
        let reply = |flags: u16| [&[1, 2][..], &flags.to_be_bytes(), &[0, 1, 0, 0, 0, 0, 0, 0]].concat();
        assert_eq!(answer(0x0102, &reply(0x8180)), Some(Ok(())));
        assert_eq!(answer(0x0102, &reply(0x8380)), Some(Ok(())), "cut short");
        assert_eq!(answer(0x0102, &reply(0x8183)), Some(Err(Failure::Rcode(3))));
        assert_eq!(answer(0x0102, &reply(0x0100)), None, "a query");
        assert_eq!(answer(0x0103, &reply(0x8180)), None, "of another query");
        assert_eq!(answer(0x0102, &reply(0x8180)[..11]), None, "no whole header");
        assert_eq!(answer(0x0102, b""), None);
    }

    proptest! {
        #[test]
        fn only_an_answer_to_the_query_counts(id: u16, datagram in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Some(result) = answer(id, &datagram) {
                prop_assert!(datagram.len() >= 12 && datagram[..2] == id.to_be_bytes() && datagram[2] & 0x80 != 0);
                prop_assert_eq!(result.is_ok(), datagram[3] & 15 == 0);
            }
        }

        #[test]
        fn names(name in "[a-z.]{0,300}") {
            if let Ok(query) = DnsQuery::new(&name, 1) {
                prop_assert!(query.datagram(1).len() <= 12 + 255 + 4);
            }
        }
    }
}
