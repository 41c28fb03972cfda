use crate::{Sink, Version};

/// A whole response kept ready: one of the built-in pages, or the contents of an `errorfile`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorPage {
    status: u16,
    head: Vec<u8>,
    body: Vec<u8>,
}

/// Why an errorfile was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PageError {
    /// Its head is malformed; the offset of the byte.
    Head(usize),
    /// Its head has no end.
    Truncated,
    /// Its Content-Length says more or less than the file has.
    Length,
}

impl ErrorPage {
    /// Parses the bytes of an `errorfile`: a raw HTTP/1 response.
    ///
    /// # Errors
    /// When it is no response.
    pub fn parse(file: &[u8]) -> Result<Self, PageError> {
        let _ = file;
        Err(PageError::Truncated)
    }

    /// Its status code.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Writes it for a client. `close` is whether the connection is closed after it; `head_only` that the request was
    /// a HEAD.
    pub fn write(&self, client: Version, close: bool, head_only: bool, out: &mut impl Sink) {
        let _ = (client, close, head_only);
        out.put(&self.head);
        out.put(&self.body);
    }
}

/// The built-in page of a status code; `None` for a code that HAProxy has no page for.
#[must_use]
pub fn default_page(status: u16) -> Option<ErrorPage> {
    let _ = status;
    None
}
