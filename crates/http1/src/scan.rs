//! The resumable scanner of start lines and field lines.
