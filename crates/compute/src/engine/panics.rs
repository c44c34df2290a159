//! A kernel's panic becomes a failure that says where it happened.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};

use crate::Failure;
use crate::kernel::NotImplemented;

/// Whether this build's profile ends the process at a panic (`panic = "abort"`), so that a sample
/// that panics can be neither left out nor named in the result.
pub const PANICS_ABORT: bool = cfg!(panic = "abort");

thread_local! {
    /// The block this thread is in, and where it panicked.
    static INSIDE: RefCell<Option<Inside>> = const { RefCell::new(None) };
}

struct Inside {
    /// None outside blocks.
    block: Option<u64>,
    location: Option<String>,
}

/// What stopped a kernel's code.
pub(super) enum Caught {
    /// It failed, by error or by panic.
    Failed(Failure),
    /// It has no method for one sample.
    NotImplemented,
}

impl Caught {
    /// What it said.
    pub(super) fn message(self) -> String {
        match self {
            Self::Failed(failure) => failure.to_string(),
            Self::NotImplemented => NOT_IMPLEMENTED.to_owned(),
        }
    }
}

/// Of a kernel that has none of the methods it might have.
const NOT_IMPLEMENTED: &str = "a kernel must implement sample, try_sample or block (of these, with a stream per sample, one of the first two)";

impl From<Failure> for Caught {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Runs a kernel's code for `block` and catches its panic.
pub(super) fn catch<R>(block: u64, code: impl FnOnce() -> Result<R, Failure>) -> Result<R, Caught> {
    catch_inside(Some(block), code)
}

/// Runs what a kernel does outside blocks, such as its `validate`, and makes a panic a failure that
/// says where it was.
///
/// # Errors
///
/// Where it fails or panics.
pub fn catch_panic<R>(code: impl FnOnce() -> Result<R, Failure>) -> Result<R, Failure> {
    catch_inside(None, code).map_err(|caught| match caught {
        Caught::Failed(failure) => failure,
        Caught::NotImplemented => Failure::new(NOT_IMPLEMENTED),
    })
}

fn catch_inside<R>(
    block: Option<u64>,
    code: impl FnOnce() -> Result<R, Failure>,
) -> Result<R, Caught> {
    // A thread that waits for rayon inside one kernel may be lent to another engine meanwhile.
    let outer = INSIDE.replace(Some(Inside {
        block,
        location: None,
    }));
    let outcome = panic::catch_unwind(AssertUnwindSafe(code));
    let inside = INSIDE.replace(outer);
    match outcome {
        Ok(result) => result.map_err(Caught::Failed),
        Err(payload) if payload.is::<NotImplemented>() => Err(Caught::NotImplemented),
        Err(payload) => {
            let location = inside.and_then(|inside| inside.location);
            let at = location.map_or_else(String::new, |location| format!(" at {location}"));
            let message = format!("panicked{at}: {}", message_of(payload.as_ref()));
            Err(Caught::Failed(Failure::new(message)))
        }
    }
}

/// Sets the process's panic hook so that panics inside kernels are kept for the failure's text
/// instead of being printed; all others go to the hook that was there. For programs, not libraries.
///
/// Where [`PANICS_ABORT`], the hook prints the block before the process ends.
pub fn note_kernel_panics() {
    let others = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !note(info) {
            others(info);
        }
    }));
}

/// Whether the panic was inside a kernel.
fn note(info: &PanicHookInfo<'_>) -> bool {
    INSIDE.with_borrow_mut(|inside| {
        let Some(inside) = inside else {
            return false;
        };
        if PANICS_ABORT {
            let message = message_of(info.payload());
            let location = info.location().map(ToString::to_string).unwrap_or_default();
            // The last words of a process: there is nobody left to return them to.
            let (what, advice) = match inside.block {
                Some(block) => (
                    format!("block {block}"),
                    format!("; run the block again with: replay --block {block}"),
                ),
                None => ("the kernel".to_owned(), String::new()),
            };
            let words = format!(
                "{what} panicked at {location}: {message}\nthis program is built with panic = \"abort\", which ends it here{advice}\n"
            );
            let _ = std::io::Write::write_all(&mut std::io::stderr(), words.as_bytes());
        }
        inside.location = info.location().map(ToString::to_string);
        true
    })
}

fn message_of(payload: &(dyn Any + Send)) -> String {
    if payload.is::<NotImplemented>() {
        return NOT_IMPLEMENTED.to_owned();
    }
    payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "with a payload that is no text".to_owned())
}
