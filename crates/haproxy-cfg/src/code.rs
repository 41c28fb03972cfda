//! Codes of diagnostics of the language itself, H0001–H0099. Each has a paragraph in `docs/diagnostics.md`.
