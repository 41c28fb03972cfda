//! Health: rise and fall, probe state machines and their words
