//! The outside lines: each person outside who calls or is called uses one.

/// The outside lines, counted from 1.
#[derive(Debug)]
pub(super) struct Lines {
    total: usize,
    in_use: usize,
    /// Whether each of those that were ever used is in use.
    used: Vec<bool>,
}

impl Lines {
    pub(super) const fn new(total: usize) -> Self {
        Self { total, in_use: 0, used: Vec::new() }
    }

    /// How many there are.
    pub(super) const fn total(&self) -> usize {
        self.total
    }

    /// Changes how many there are. Lines in use stay in use.
    pub(super) const fn set_total(&mut self, total: usize) {
        self.total = total;
    }

    pub(super) const fn in_use(&self) -> usize {
        self.in_use
    }

    pub(super) const fn any_free(&self) -> bool {
        self.in_use < self.total
    }

    /// Takes the first free line.
    pub(super) fn take(&mut self) -> Option<usize> {
        if !self.any_free() {
            return None;
        }
        let at = self.used.iter().position(|used| !used).unwrap_or_else(|| {
            self.used.push(false);
            self.used.len() - 1
        });
        self.used[at] = true;
        self.in_use += 1;
        Some(at + 1)
    }

    pub(super) fn give_back(&mut self, line: usize) {
        if let Some(used) = self.used.get_mut(line - 1)
            && std::mem::take(used)
        {
            self.in_use -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_free_line_is_taken_and_no_more_than_there_are() {
        let mut lines = Lines::new(2);
        assert_eq!((lines.take(), lines.take(), lines.take()), (Some(1), Some(2), None));
        lines.give_back(1);
        lines.give_back(1);
        assert_eq!((lines.in_use(), lines.take()), (1, Some(1)));
        lines.set_total(1);
        lines.give_back(2);
        assert_eq!((lines.any_free(), lines.take()), (false, None));
    }
}
