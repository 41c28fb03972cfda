//! "Did you mean".

/// The candidate that `word` was probably meant to be: the nearest, at most one edit in three letters away.
pub fn suggest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = word.chars().count().div_ceil(3);
    candidates
        .into_iter()
        .filter(|candidate| candidate.len().abs_diff(word.len()) <= allowed)
        .map(|candidate| (strsim::osa_distance(word, candidate), candidate))
        .filter(|&(distance, _)| distance <= allowed && distance < word.chars().count())
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

/// What HAProxy adds to a message about an unknown `word`: `; did you mean 'bind' maybe ?`, or nothing.
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    suggest(word, candidates).map_or_else(String::new, |found| format!("; did you mean '{found}' maybe ?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_candidate_is_named_and_far_ones_are_not() {
        let keywords = ["bind", "balance", "backlog", "description"];
        assert_eq!(did_you_mean("bnd", keywords), "; did you mean 'bind' maybe ?");
        assert_eq!(suggest("descriptionn", keywords), Some("description"));
        assert_eq!(suggest("blance", keywords), Some("balance"));
        assert_eq!(suggest("foo", keywords), None);
        assert_eq!(suggest("", keywords), None);
        assert_eq!(suggest("x", ["y"]), None);
    }
}
