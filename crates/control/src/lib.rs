//! The runtime API: show info, show stat
