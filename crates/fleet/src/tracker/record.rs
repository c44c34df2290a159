//! One shard's record and the rules by which it changes. `Memory` applies them as they stand here; `DynamoDb` says the
//! same in conditions, and reads what it was refused for by them.

use super::clock::{Millis, Moment};
use super::{
    ATTEMPT_BYTES, Claim, Claimant, FailureClass, HOST_BYTES, Lease, MESSAGE_BYTES, Marked,
    RUN_BYTES, State, Tracked, TrackerError,
};

/// What is kept of a shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) state: State,
    /// How many claims there were.
    pub(super) token: u64,
    /// Of these, how many count against the maximum.
    pub(super) attempts: u32,
    pub(super) holder: Option<Holder>,
    pub(super) class: Option<FailureClass>,
    pub(super) message: String,
    pub(super) updated: Millis,
}

/// Who claimed it last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Holder {
    pub(super) attempt: String,
    pub(super) host: String,
    pub(super) expires: Millis,
}

impl Record {
    /// What a claim is told while the shard isn't free; `None` if it is.
    pub(super) fn refusal(
        &self,
        shard: u32,
        attempt: &str,
        max_attempts: u32,
        moment: Moment,
    ) -> Option<Claim> {
        let is_used_up = self.attempts >= max_attempts.max(1);
        match (self.state, &self.holder) {
            (State::Done, _) => Some(Claim::Done),
            (State::Running, Some(holder)) if holder.expires >= moment.lost_before => {
                Some(if holder.attempt == attempt {
                    Claim::Granted(self.lease(shard, holder))
                } else {
                    Claim::Held {
                        by: holder.attempt.clone(),
                        host: holder.host.clone(),
                        expires: holder.expires.into(),
                    }
                })
            }
            (State::Running, holder) if is_used_up => {
                let host = holder.as_ref().map_or("", |holder| &holder.host);
                Some(self.given_up(
                    FailureClass::Lost,
                    format!("its worker on {host} was never heard of again"),
                ))
            }
            (State::Failed, _) => {
                let class = self.class.unwrap_or(FailureClass::Failed);
                (is_used_up || class.is_final()).then(|| self.given_up(class, self.message.clone()))
            }
            (State::Running, _) => None,
        }
    }

    fn given_up(&self, class: FailureClass, message: String) -> Claim {
        Claim::GivenUp {
            attempts: self.attempts,
            class,
            message,
        }
    }

    /// The record after a claim that is granted, and the lease; or why it is not.
    ///
    /// # Errors
    /// The answer to a claim that changes nothing.
    pub(super) fn claimed(
        before: Option<&Self>,
        shard: u32,
        claimant: &Claimant,
        max_attempts: u32,
        moment: Moment,
    ) -> Result<(Self, Lease), Claim> {
        let refusal =
            before.and_then(|it| it.refusal(shard, &claimant.attempt, max_attempts, moment));
        if let Some(refusal) = refusal {
            return Err(refusal);
        }
        let (token, attempts) = before.map_or((0, 0), |it| (it.token, it.attempts));
        let holder = Holder {
            attempt: claimant.attempt.clone(),
            host: host(&claimant.host),
            expires: moment.expires,
        };
        let after = Self {
            state: State::Running,
            token: token.saturating_add(1),
            attempts: attempts.saturating_add(1),
            holder: Some(holder.clone()),
            class: before.and_then(|it| it.class),
            message: before.map_or_else(String::new, |it| it.message.clone()),
            updated: moment.now,
        };
        let lease = after.lease(shard, &holder);
        Ok((after, lease))
    }

    /// The record after its holder changes it to the state `to`; what is told where nothing is to be written.
    ///
    /// # Errors
    /// The answer to a call that changes nothing.
    pub(super) fn changed(
        before: Option<&Self>,
        lease: &Lease,
        to: State,
        moment: Moment,
        change: impl FnOnce(&mut Self),
    ) -> Result<Self, Marked> {
        match before {
            Some(record) if record.is_of(lease) && record.state == State::Running => {
                let mut after = record.clone();
                after.state = to;
                after.updated = moment.now;
                change(&mut after);
                Ok(after)
            }
            // The same call as before.
            Some(record) if record.is_of(lease) && record.state == to => Err(Marked::Recorded),
            _ => Err(Marked::Superseded),
        }
    }

    /// What a failure changes.
    pub(super) fn failed(&mut self, class: FailureClass, text: &str) {
        self.class = Some(class);
        self.message = message(text);
        if !class.counts() {
            self.attempts = self.attempts.saturating_sub(1);
        }
    }

    /// The record after it was lost and the shard is known to be done; none where it is left alone.
    pub(super) fn rebuilt(before: Option<&Self>, moment: Moment) -> Option<Self> {
        if before.is_some_and(|it| it.state == State::Done || it.is_live(moment)) {
            return None;
        }
        let mut after = before.cloned().unwrap_or_else(|| Self {
            state: State::Failed,
            token: 0,
            attempts: 0,
            holder: None,
            class: None,
            message: String::new(),
            updated: moment.now,
        });
        after.state = State::Done;
        after.updated = moment.now;
        Some(after)
    }

    /// What its holder was granted.
    pub(super) fn lease(&self, shard: u32, holder: &Holder) -> Lease {
        Lease {
            shard,
            attempt: holder.attempt.clone(),
            token: self.token,
            number: self.attempts,
            expires: holder.expires.into(),
        }
    }

    /// Whether the lease is the last that was granted, running or not.
    pub(super) fn is_of(&self, lease: &Lease) -> bool {
        let holder = self.holder.as_ref();
        self.token == lease.token && holder.is_some_and(|holder| holder.attempt == lease.attempt)
    }

    /// Whether a lease holds that nobody else may touch.
    pub(super) fn is_live(&self, moment: Moment) -> bool {
        let holder = self.holder.as_ref();
        self.state == State::Running
            && holder.is_some_and(|holder| holder.expires >= moment.lost_before)
    }

    pub(super) fn tracked(&self, shard: u32) -> Tracked {
        Tracked {
            shard,
            state: self.state,
            attempts: self.attempts,
            holder: self.holder.as_ref().map(|holder| Claimant {
                attempt: holder.attempt.clone(),
                host: holder.host.clone(),
            }),
            expires: self.holder.as_ref().map(|holder| holder.expires.into()),
            class: self.class,
            message: self.message.clone(),
            updated: self.updated.into(),
        }
    }
}

pub(super) fn check_run(run: &str) -> Result<(), TrackerError> {
    check("run's name", run, RUN_BYTES)
}

pub(super) fn check_attempt(attempt: &str) -> Result<(), TrackerError> {
    check("attempt's id", attempt, ATTEMPT_BYTES)
}

fn check(what: &'static str, name: &str, most: usize) -> Result<(), TrackerError> {
    if (1..=most).contains(&name.len()) {
        return Ok(());
    }
    Err(TrackerError::BadName {
        what,
        name: name.to_owned(),
        bytes: name.len(),
        most,
    })
}

pub(super) fn host(host: &str) -> String {
    cut(host, HOST_BYTES)
}

pub(super) fn message(message: &str) -> String {
    cut(message, MESSAGE_BYTES)
}

/// The beginning of a text, cut between characters, with a sign that it was cut.
fn cut(text: &str, most: usize) -> String {
    const SIGN: char = '…';
    if text.len() <= most {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(most - SIGN.len_utf8());
    format!("{}{SIGN}", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(cut("", 8), "");
        assert_eq!(cut("12345678", 8), "12345678");
        assert_eq!(cut("123456789", 8), "12345…");
        assert_eq!(cut("抽抽抽", 8), "抽…");
        assert_eq!(cut("抽抽", 8), "抽抽");
    }
}
