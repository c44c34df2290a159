//! An allocator that counts what each thread holds, and held at most.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

#[global_allocator]
static COUNTING: Counting = Counting;

struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
}

/// The most that `code` held at once on this thread, in bytes beyond what was held before.
pub(crate) fn most_held<R>(code: impl FnOnce() -> R) -> (usize, R) {
    let before = HELD.get();
    MOST.set(before);
    let result = code();
    ((MOST.get() - before) as usize, result)
}

fn count(bytes: isize) {
    let held = HELD.get() + bytes;
    HELD.set(held);
    MOST.set(MOST.get().max(held));
}

#[expect(
    unsafe_code,
    reason = "an allocator is an unsafe trait; all of it is the system's"
)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, there: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        unsafe { System.dealloc(there, layout) }
    }

    unsafe fn realloc(&self, there: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // The old and the new may be held at once.
        count(size as isize);
        count(-(layout.size() as isize));
        unsafe { System.realloc(there, layout, size) }
    }
}
