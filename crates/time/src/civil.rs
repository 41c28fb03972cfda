//! Seconds since the epoch to a calendar date (proleptic Gregorian).

/// A calendar date and time of day, without a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    /// Year, for example 2026.
    pub year: i32,
    /// Month, 1–12.
    pub month: u8,
    /// Day of the month, 1–31.
    pub day: u8,
    /// Hour, 0–23.
    pub hour: u8,
    /// Minute, 0–59.
    pub minute: u8,
    /// Second, 0–59.
    pub second: u8,
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

impl Civil {
    /// The date and time `seconds` after 1970-01-01T00:00:00.
    pub fn from_unix(seconds: i64) -> Self {
        let days = seconds.div_euclid(86_400);
        let of_day = seconds.rem_euclid(86_400);
        // Days are counted from 0000-03-01, so that the leap day ends a year and 400 years are one era.
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * day_of_year + 2) / 153;
        let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
        Self {
            year: (era * 400 + year_of_era + i64::from(month <= 2)) as i32,
            month: month as u8,
            day: (day_of_year - (153 * march_month + 2) / 5 + 1) as u8,
            hour: (of_day / 3_600) as u8,
            minute: (of_day / 60 % 60) as u8,
            second: (of_day % 60) as u8,
        }
    }

    /// The English three-letter name of the month, as in log lines.
    pub fn month_name(self) -> &'static str {
        MONTHS.get(usize::from(self.month).wrapping_sub(1)).copied().unwrap_or("???")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(seconds: i64) -> String {
        let c = Civil::from_unix(seconds);
        format!("{}/{}/{:04}:{:02}:{:02}:{:02}", c.day, c.month_name(), c.year, c.hour, c.minute, c.second)
    }

    #[test]
    fn known_dates() {
        assert_eq!(text(0), "1/Jan/1970:00:00:00");
        assert_eq!(text(951_782_400), "29/Feb/2000:00:00:00");
        assert_eq!(text(951_868_799), "29/Feb/2000:23:59:59");
        assert_eq!(text(951_868_800), "1/Mar/2000:00:00:00");
        assert_eq!(text(4_107_542_399), "28/Feb/2100:23:59:59");
        assert_eq!(text(-1), "31/Dec/1969:23:59:59");
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let mut last = Civil::from_unix(-86_400);
        for day in 0..80_000_i64 {
            let this = Civil::from_unix(day * 86_400);
            let next_day = this.year == last.year && this.month == last.month && this.day == last.day + 1;
            let next_month =
                this.day == 1 && (this.month == last.month + 1 || (this.month == 1 && last.month == 12));
            assert!(next_day || next_month, "{last:?} then {this:?}");
            last = this;
        }
    }
}
