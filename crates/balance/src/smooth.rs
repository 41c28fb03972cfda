//! `roundrobin`: weighted round robin whose weights may change while it runs.
//!
//! A round lasts as many positions as the sum of the weights. Each server has the position where it is next due, one
//! share (sum ÷ its weight) after the last one, the remainders adding up until they make a position of their own. Three
//! queues hold the servers: those due in this round by position, those that have not had a turn in this round yet by
//! weight (heaviest first), and those that are done until the next round. When nobody is due, a server that has not
//! had a turn fills the hole. With the round over, the last queue becomes the middle one.
//!
//! Positions are 32-bit and wrap, as in HAProxy, where a server that returns while the round is running out gets a
//! position far away and so waits for the next round: the order after such an event must be the same here.

use crate::balancer::Load;
use crate::group::{EFFECTIVE_MAX, Group, Roster, Usable, WEIGHT_SCALE};
use crate::queue::{Place, Queue};

/// Queue by position, or one of the two that take turns in being this round's and the next round's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Due,
    Even,
    Odd,
}

impl Line {
    fn other(self) -> Self {
        if self == Self::Even { Self::Odd } else { Self::Even }
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Turn {
    /// Where it stands; kept while it is out of its queue during a pick.
    line: Option<Line>,
    place: Option<Place>,
    /// Position of its last turn.
    last: u32,
    /// Position of its next turn.
    next: u32,
    /// Remainder of its share carried over.
    carry: u32,
}

/// One group's round.
#[derive(Clone, Debug)]
struct Round {
    due: Queue,
    even: Queue,
    odd: Queue,
    /// Which of `even` and `odd` holds servers without a turn in this round.
    fresh: Line,
    /// Length of this round.
    length: u32,
    /// Length of the next one: the sum of the weights now.
    next_length: u32,
    /// Where the round has come to; it starts at `length`.
    position: u32,
}

impl Round {
    fn new(length: u32) -> Self {
        Self {
            due: Queue::default(),
            even: Queue::default(),
            odd: Queue::default(),
            fresh: Line::Even,
            length,
            next_length: length,
            position: length,
        }
    }

    fn queue(&mut self, line: Line) -> &mut Queue {
        match line {
            Line::Due => &mut self.due,
            Line::Even => &mut self.even,
            Line::Odd => &mut self.odd,
        }
    }

    fn begin(&mut self) {
        self.fresh = self.fresh.other();
        self.length = self.next_length;
        self.position = self.length;
    }

    /// A place for a server that returns.
    fn late_position(&self, weight: u32) -> u32 {
        let left = self.next_length.wrapping_add(self.length).wrapping_sub(self.position);
        self.position.wrapping_add(left.checked_div(weight).unwrap_or(0))
    }

    fn queue_by_weight(&mut self, line: Line, server: usize, turn: &mut Turn, weight: u32) {
        let place = self.queue(line).insert(u64::from(EFFECTIVE_MAX.saturating_sub(weight)), server);
        (turn.line, turn.place) = (Some(line), Some(place));
    }

    /// Puts a server where its next position belongs.
    fn queue_by_position(&mut self, server: usize, turn: &mut Turn, weight: u32) {
        let next = turn.next;
        if next >= self.length.wrapping_mul(2) || next >= self.length.wrapping_add(self.next_length) {
            turn.next = next.wrapping_sub(self.length);
            self.queue_by_weight(self.fresh.other(), server, turn, weight);
        } else {
            // Equal positions: by weight and carried remainder, in steps of a whole weight.
            let rank = (EFFECTIVE_MAX.wrapping_add(turn.carry).wrapping_sub(weight)) / WEIGHT_SCALE;
            let place = self.due.insert(u64::from(next) * 256 + u64::from(rank), server);
            (turn.line, turn.place) = (Some(Line::Due), Some(place));
        }
    }

    fn dequeue(&mut self, turn: &mut Turn) {
        if let (Some(line), Some(place)) = (turn.line, turn.place.take()) {
            self.queue(line).remove(place);
        }
    }

    /// Expresses the next position relative to this round, whichever queue the server waits in.
    fn rebase(&self, turn: &mut Turn) {
        match turn.line {
            Some(Line::Due) => {}
            Some(line) if line == self.fresh => (turn.next, turn.carry) = (0, 0),
            Some(_) => turn.next = turn.next.wrapping_add(self.length),
            None => turn.next = self.position,
        }
    }

    /// Moves a server that has its turn now to its next position.
    fn advance(&self, turn: &mut Turn, weight: u32) {
        if turn.next == 0 {
            turn.next = self.position;
        }
        turn.last = turn.next;
        let (share, rest) = (
            self.next_length.checked_div(weight).unwrap_or(0),
            self.next_length.checked_rem(weight).unwrap_or(0),
        );
        turn.next = turn.next.wrapping_add(share);
        turn.carry = turn.carry.wrapping_add(rest);
        if turn.carry >= weight {
            turn.carry = turn.carry.wrapping_sub(weight);
            turn.next = turn.next.wrapping_add(1);
        }
    }
}

/// The round robin of both groups.
#[derive(Clone, Debug)]
pub(crate) struct Smooth {
    active: Round,
    backup: Round,
    turns: Vec<Turn>,
    /// Servers taken out during a pick; kept to save its allocation.
    passed: Vec<usize>,
}

impl Smooth {
    pub(crate) fn new(roster: &Roster) -> Self {
        let mut smooth = Self {
            active: Round::new(roster.total(Group::Active)),
            backup: Round::new(roster.total(Group::Backup)),
            turns: vec![Turn::default(); roster.len()],
            passed: Vec::new(),
        };
        for server in 0..roster.len() {
            if roster.usable(server) {
                let (round, turn) = smooth.parts(roster.group(server), server);
                if let Some(turn) = turn {
                    round.queue_by_weight(round.fresh, server, turn, roster.effective(server));
                }
            }
        }
        smooth
    }

    fn parts(&mut self, group: Group, server: usize) -> (&mut Round, Option<&mut Turn>) {
        let round = match group {
            Group::Active => &mut self.active,
            Group::Backup => &mut self.backup,
        };
        (round, self.turns.get_mut(server))
    }

    pub(crate) fn enter(&mut self, roster: &Roster, server: usize) {
        let weight = roster.effective(server);
        let total = roster.total(roster.group(server));
        let (round, Some(turn)) = self.parts(roster.group(server), server) else { return };
        round.next_length = total;
        turn.next = round.late_position(weight);
        round.queue_by_position(server, turn, weight);
    }

    pub(crate) fn leave(&mut self, roster: &Roster, server: usize) {
        let total = roster.total(roster.group(server));
        let (round, Some(turn)) = self.parts(roster.group(server), server) else { return };
        round.next_length = total;
        round.dequeue(turn);
        turn.line = None;
    }

    pub(crate) fn reweigh(&mut self, roster: &Roster, server: usize) {
        let weight = roster.effective(server);
        let total = roster.total(roster.group(server));
        let (round, Some(turn)) = self.parts(roster.group(server), server) else { return };
        round.next_length = total;
        if turn.line == Some(round.fresh) {
            round.dequeue(turn);
            round.queue_by_weight(round.fresh, server, turn, weight);
            return;
        }
        round.rebase(turn);
        let before = turn.next;
        let share = total.checked_div(weight).unwrap_or(0);
        turn.next = turn.last.wrapping_add(share).min(before);
        turn.carry = 0;
        if turn.next < round.position.wrapping_add(2) {
            turn.next = round.position.wrapping_add(share);
        }
        round.dequeue(turn);
        round.queue_by_position(server, turn, weight);
    }

    pub(crate) fn pick(&mut self, roster: &Roster, load: &dyn Load, avoid: Option<usize>) -> Option<usize> {
        let group = match roster.working() {
            Usable::Nobody => return None,
            Usable::Sole(server) => return Some(server),
            Usable::Group(group) => group,
        };
        let mut passed = core::mem::take(&mut self.passed);
        let chosen = self.turn(group, roster, load, avoid, &mut passed);
        passed.clear();
        self.passed = passed;
        chosen
    }

    fn turn(
        &mut self,
        group: Group,
        roster: &Roster,
        load: &dyn Load,
        avoid: Option<usize>,
        passed: &mut Vec<usize>,
    ) -> Option<usize> {
        let mut switched = false;
        let mut avoided = None;
        let chosen = loop {
            let (round, _) = self.parts(group, 0);
            if round.length == 0 {
                round.length = round.next_length;
                round.position = round.length;
            }
            let due = round.due.first();
            let fresh = round.fresh;
            let place = match due {
                Some(place)
                    if self.turns.get(place.server).is_some_and(|t| t.next <= self.position(group)) =>
                {
                    Some((place.server, false))
                }
                _ => {
                    let (round, _) = self.parts(group, 0);
                    let first = round.queue(fresh).first().map(|place| (place.server, true));
                    first.or(due.map(|place| (place.server, false)))
                }
            };
            let Some((server, is_fresh)) = place else {
                if switched {
                    break avoided;
                }
                switched = true;
                self.parts(group, 0).0.begin();
                continue;
            };
            let (round, Some(turn)) = self.parts(group, server) else { break None };
            if is_fresh {
                (turn.next, turn.carry) = (0, 0);
            }
            round.advance(turn, roster.effective(server));
            round.dequeue(turn);
            round.position = round.position.wrapping_add(1);
            if !load.full(server) {
                if Some(server) != avoid || avoided.is_some() {
                    break Some(server);
                }
                avoided = Some(server);
            }
            passed.push(server);
        };
        if let Some(server) = chosen {
            let (round, turn) = self.parts(group, server);
            if let Some(turn) = turn {
                round.queue_by_position(server, turn, roster.effective(server));
            }
        }
        // Last taken out, first put back. After the end of a round their positions mean nothing any more.
        for &server in passed.iter().rev().filter(|&&server| Some(server) != chosen) {
            let (round, Some(turn)) = self.parts(group, server) else { continue };
            if switched {
                round.queue_by_weight(round.fresh, server, turn, roster.effective(server));
            } else {
                round.queue_by_position(server, turn, roster.effective(server));
            }
        }
        chosen
    }

    fn position(&self, group: Group) -> u32 {
        match group {
            Group::Active => self.active.position,
            Group::Backup => self.backup.position,
        }
    }
}
