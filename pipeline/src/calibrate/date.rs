//! Dates as profiles name them.

const SECONDS_PER_DAY: u64 = 86_400;

/// The date in UTC, `2026-11-23`, of a time in seconds since 1970.
pub(super) fn date_of(seconds: u64) -> String {
    date(seconds / SECONDS_PER_DAY)
}

/// The date of a day counted from 1970-01-01, after Howard Hinnant's `civil_from_days`: years
/// begin in March, so that the leap day is the last.
fn date(days: u64) -> String {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::{SECONDS_PER_DAY, date, date_of};

    #[test]
    fn dates() {
        let days = [0, 58, 59, 11_016, 11_017, 19_782, 20_780];
        let expected = [
            "1970-01-01",
            "1970-02-28",
            "1970-03-01",
            "2000-02-29",
            "2000-03-01",
            "2024-02-29",
            "2026-11-23",
        ];
        assert_eq!(days.map(date), expected);
        assert_eq!(date_of(20_780 * SECONDS_PER_DAY + 86_399), "2026-11-23");
    }
}
