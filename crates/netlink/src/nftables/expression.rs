//! What rules are made of.

use crate::attribute::Writer;

const NAME: u16 = 1;
const DATA: u16 = 2;
const VALUE: u16 = 1;
const VERDICT: u16 = 2;
const VERDICT_CODE: u16 = 1;
const VERDICT_CHAIN: u16 = 2;

/// Which header a payload expression reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// The IP header.
    Network,
    /// The header behind it.
    Transport,
}

/// What a meta expression reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meta {
    /// The index of the link it came in by.
    InputIndex,
    /// The index of the link it goes out by.
    OutputIndex,
    /// The name of the link it came in by, 16 bytes.
    InputName,
    /// The name of the link it goes out by, 16 bytes.
    OutputName,
    /// The IP protocol.
    TransportProtocol,
    /// The kind of link it goes out by, 16 bytes.
    OutputKind,
}

impl Meta {
    const fn number(self) -> u32 {
        match self {
            Self::InputIndex => 4,
            Self::OutputIndex => 5,
            Self::InputName => 6,
            Self::OutputName => 7,
            Self::TransportProtocol => 16,
            Self::OutputKind => 27,
        }
    }
}

/// How a register is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// Equal.
    Equal,
    /// Not equal.
    Unequal,
}

/// What becomes of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is dropped.
    Drop,
    /// It is accepted.
    Accept,
    /// It goes on in another chain and does not come back.
    Goto(String),
}

/// A step of a rule. Registers are numbered from 1 to 4, of 16 bytes each; longer keys go into those that follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expression {
    /// Loads bytes of the packet.
    Payload {
        /// Which header.
        base: Base,
        /// From which byte of it.
        offset: u32,
        /// How many.
        len: u32,
        /// Into which register.
        register: u32,
    },
    /// Loads something about the packet.
    Meta {
        /// What.
        key: Meta,
        /// Into which register.
        register: u32,
    },
    /// Goes on only if a register compares with a value.
    Compare {
        /// The register.
        register: u32,
        /// How.
        comparison: Comparison,
        /// With what.
        value: Vec<u8>,
    },
    /// Clears the bits of a register that are not in a mask.
    Mask {
        /// The register.
        register: u32,
        /// The mask.
        mask: Vec<u8>,
    },
    /// Goes on only if a register is in a set; from a map, loads what belongs to it.
    Lookup {
        /// The set.
        set: String,
        /// The key's first register.
        register: u32,
        /// For a map: into which register.
        into: Option<u32>,
    },
    /// Counts packets and bytes.
    Counter,
    /// Sends a copy to the address in a register by the link whose index is in another.
    Duplicate {
        /// The address.
        address: u32,
        /// The link.
        device: u32,
    },
    /// Decides.
    Verdict(Verdict),
}

impl Expression {
    pub(super) fn encode(&self, inside: &mut Writer) {
        inside.text(NAME, self.name());
        inside.nest(DATA, |data| self.encode_data(data));
    }

    /// The kernel's name of it.
    const fn name(&self) -> &'static str {
        match self {
            Self::Payload { .. } => "payload",
            Self::Meta { .. } => "meta",
            Self::Compare { .. } => "cmp",
            Self::Mask { .. } => "bitwise",
            Self::Lookup { .. } => "lookup",
            Self::Counter => "counter",
            Self::Duplicate { .. } => "dup",
            Self::Verdict(_) => "immediate",
        }
    }

    /// Its attributes, each kind's numbered for itself (`NFTA_PAYLOAD_…`, `NFTA_META_…` …).
    fn encode_data(&self, data: &mut Writer) {
        match self {
            Self::Payload { base, offset, len, register } => {
                let base = match base {
                    Base::Network => 1,
                    Base::Transport => 2,
                };
                data.be32(1, *register).be32(2, base).be32(3, *offset).be32(4, *len);
            }
            Self::Meta { key, register } => {
                data.be32(2, key.number()).be32(1, *register);
            }
            Self::Compare { register, comparison, value } => {
                let comparison = match comparison {
                    Comparison::Equal => 0,
                    Comparison::Unequal => 1,
                };
                data.be32(1, *register).be32(2, comparison);
                encode_value(data, 3, value);
            }
            Self::Mask { register, mask } => {
                let len = u32::try_from(mask.len()).unwrap_or(u32::MAX);
                data.be32(1, *register).be32(2, *register).be32(3, len);
                encode_value(data, 4, mask);
                encode_value(data, 5, &vec![0; mask.len()]);
            }
            Self::Lookup { set, register, into } => {
                data.be32(2, *register);
                if let Some(into) = into {
                    data.be32(3, *into);
                }
                data.text(1, set);
            }
            Self::Counter => {}
            Self::Duplicate { address, device } => {
                data.be32(1, *address).be32(2, *device);
            }
            Self::Verdict(verdict) => {
                let (code, chain) = match verdict {
                    Verdict::Drop => (0, None),
                    Verdict::Accept => (1, None),
                    Verdict::Goto(chain) => (-4, Some(chain)),
                };
                // Into the verdict register.
                data.be32(1, 0);
                data.nest(2, |value| {
                    value.nest(VERDICT, |inside| {
                        inside.bytes(VERDICT_CODE, &i32::to_be_bytes(code));
                        if let Some(chain) = chain {
                            inside.text(VERDICT_CHAIN, chain);
                        }
                    });
                });
            }
        }
    }
}

/// A nested value of data registers.
pub(super) fn encode_value(writer: &mut Writer, kind: u16, value: &[u8]) {
    writer.nest(kind, |inside| {
        inside.bytes(VALUE, value);
    });
}
