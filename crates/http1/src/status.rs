/// The reason phrase of a status code, as HAProxy writes it for responses of its own.
#[must_use]
pub const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        _ => "",
    }
}
