//! Dates as they stand in lines, made once a second.

use ek_time::{Civil, WallTime};

/// `26/Apr/2024:09:39:58`.
type Text = [u8; 20];

/// The dates of the last seconds. A line shows one or two, and the next line mostly the same.
#[derive(Clone, Debug)]
pub(crate) struct Dates {
    /// By the low bits of the second: two times of one line seldom push each other out.
    slots: [Slot; 4],
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    /// Seconds since the epoch plus the zone's offset.
    second: i64,
    text: Text,
}

impl Default for Dates {
    fn default() -> Self {
        Self { slots: [Slot { second: 0, text: *b"01/Jan/1970:00:00:00" }; 4] }
    }
}

impl Dates {
    fn text(&mut self, second: i64) -> &Text {
        #[expect(clippy::indexing_slicing, reason = "an array of 4, the index is masked to 2 bits")]
        let slot = &mut self.slots[(second & 3) as usize];
        if slot.second != second {
            *slot = Slot { second, text: date(Civil::from_unix(second)) };
        }
        &slot.text
    }

    /// `26/Apr/2024:09:39:58.774`, local time.
    pub(crate) fn with_millis(&mut self, time: WallTime, out: &mut Vec<u8>) {
        out.extend_from_slice(self.text(time.unix_seconds() as i64 + i64::from(time.local_offset)));
        let millis = time.millis();
        out.extend_from_slice(&[b'.', digit(millis / 100), digit(millis / 10), digit(millis)]);
    }

    /// `26/Apr/2024:07:39:58 +0000`.
    pub(crate) fn gmt(&mut self, time: WallTime, out: &mut Vec<u8>) {
        out.extend_from_slice(self.text(time.unix_seconds() as i64));
        out.extend_from_slice(b" +0000");
    }

    /// `26/Apr/2024:09:39:58 +0200`.
    pub(crate) fn local(&mut self, time: WallTime, out: &mut Vec<u8>) {
        out.extend_from_slice(self.text(time.unix_seconds() as i64 + i64::from(time.local_offset)));
        out.push(b' ');
        let [sign, h1, h0, m1, m0] = offset(time.local_offset);
        out.extend_from_slice(&[sign, h1, h0, m1, m0]);
    }
}

/// The last decimal digit of `n`.
pub(crate) const fn digit(n: u32) -> u8 {
    b'0' + (n % 10) as u8
}

/// `+hhmm`.
pub(crate) const fn offset(seconds: i32) -> [u8; 5] {
    let minutes = seconds.unsigned_abs() / 60;
    let (hours, minutes) = (minutes / 60, minutes % 60);
    [
        if seconds < 0 { b'-' } else { b'+' },
        digit(hours / 10),
        digit(hours),
        digit(minutes / 10),
        digit(minutes),
    ]
}

fn date(civil: Civil) -> Text {
    let two = |n: u8| [digit(u32::from(n) / 10), digit(u32::from(n))];
    let [d1, d0] = two(civil.day);
    let [m0, m1, m2] = month(civil);
    let year = civil.year.unsigned_abs();
    let [y3, y2, y1, y0] = [digit(year / 1_000), digit(year / 100), digit(year / 10), digit(year)];
    let [hour1, hour0] = two(civil.hour);
    let [min1, min0] = two(civil.minute);
    let [s1, s0] = two(civil.second);
    [d1, d0, b'/', m0, m1, m2, b'/', y3, y2, y1, y0, b':', hour1, hour0, b':', min1, min0, b':', s1, s0]
}

/// The month's three letters.
pub(crate) fn month(civil: Civil) -> [u8; 3] {
    civil.month_name().as_bytes().try_into().unwrap_or(*b"???")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: WallTime = WallTime { unix_micros: 1_714_117_198_774_321, local_offset: 7_200 };

    fn text(write: impl FnOnce(&mut Dates, &mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut Dates::default(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn three_forms() {
        assert_eq!(text(|dates, out| dates.with_millis(TIME, out)), "26/Apr/2024:09:39:58.774");
        assert_eq!(text(|dates, out| dates.gmt(TIME, out)), "26/Apr/2024:07:39:58 +0000");
        assert_eq!(text(|dates, out| dates.local(TIME, out)), "26/Apr/2024:09:39:58 +0200");
        let west = WallTime { local_offset: -12_600, ..TIME };
        assert_eq!(text(|dates, out| dates.local(west, out)), "26/Apr/2024:04:09:58 -0330");
    }

    #[test]
    fn slots_do_not_mix_seconds_up() {
        let mut dates = Dates::default();
        for second in (0..200_u64).chain((0..200).rev()) {
            let time = WallTime { unix_micros: second * 1_000_000, local_offset: 3_600 };
            let mut out = Vec::new();
            dates.gmt(time, &mut out);
            let expected = format!("01/Jan/1970:00:{:02}:{:02} +0000", second / 60, second % 60);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
            let mut out = Vec::new();
            dates.with_millis(time, &mut out);
            let expected = format!("01/Jan/1970:01:{:02}:{:02}.000", second / 60, second % 60);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
