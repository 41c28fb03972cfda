//! Trailer fields of a chunked body.
