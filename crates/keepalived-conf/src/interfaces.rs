//! What checks need to know of the machine's interfaces.

/// The interfaces of the machine, as far as a configuration's meaning depends on them. The role that runs on the
/// machine brings the real ones; a check of a file elsewhere takes [`Unknown`].
pub trait InterfaceTable {
    /// The interface of this name; `None` when it does not exist.
    fn find(&self, name: &str) -> Option<InterfaceFacts>;

    /// Whether it is known which interfaces exist. If not, none is reported as missing.
    fn is_known(&self) -> bool {
        true
    }
}

/// What matters of an interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InterfaceFacts {
    /// A loopback.
    pub loopback: bool,
}

/// Nothing is known of interfaces; none is missing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unknown;

impl InterfaceTable for Unknown {
    fn find(&self, name: &str) -> Option<InterfaceFacts> {
        Some(InterfaceFacts { loopback: name == "lo" })
    }

    fn is_known(&self) -> bool {
        false
    }
}

/// Interfaces by name; `lo` is the loopback.
#[derive(Clone, Debug, Default)]
pub struct Named(pub Vec<String>);

impl InterfaceTable for Named {
    fn find(&self, name: &str) -> Option<InterfaceFacts> {
        self.0.iter().find(|known| *known == name).map(|_| InterfaceFacts { loopback: name == "lo" })
    }
}
