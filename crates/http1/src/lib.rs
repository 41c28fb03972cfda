//! HTTP/1.0 and HTTP/1.1 messages: heads, framing, chunks; no I/O
