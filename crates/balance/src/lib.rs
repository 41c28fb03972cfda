//! Choice of a server: round robin, static round robin, least connections
