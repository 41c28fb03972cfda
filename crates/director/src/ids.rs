//! Positions in a [`Config`](crate::Config)'s lists, as types that cannot be mixed up.

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
            pub struct $name(pub u32);

            impl $name {
                /// The position.
                pub const fn index(self) -> usize {
                    self.0 as usize
                }

                /// The id of a position.
                pub const fn at(position: usize) -> Self {
                    Self(position as u32)
                }
            }
        )*
    };
}

ids! {
    /// A virtual server: its position in `Config::virtual_servers`.
    VirtualServerId
    /// A real server, counted through all virtual servers in their order.
    RealServerId
    /// A checker, counted through all real servers in their order.
    CheckerId
}
