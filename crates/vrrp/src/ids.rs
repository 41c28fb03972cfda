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
    /// A virtual router: its position in `Config::routers`.
    RouterId
    /// A sync group: its position in `Config::groups`.
    GroupId
    /// Something tracked: its position in `Config::tracks`.
    TrackId
    /// An interface: its position in `Config::links`.
    LinkId
    /// A pace of announcements: its position in `Config::paces`.
    PaceId
}
