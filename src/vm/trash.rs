//! Drops that do not nest without bound.

use std::cell::RefCell;

use super::value::Value;

/// How deep drops may nest before the rest waits its turn (CPython's trashcan, `Objects/object.c`).
const DROP_DEPTH: usize = 64;

thread_local! {
    static TRASH: RefCell<(usize, Vec<Value>)> = const { RefCell::new((0, Vec::new())) };
}

/// Drops the values a container held, without nesting more than [`DROP_DEPTH`] deep.
pub(super) fn drop_items(items: &mut Vec<Value>) {
    if !items.iter().any(Value::holds_values) {
        return;
    }
    let items = std::mem::take(items);
    // While the thread itself ends its trash may be gone; then the drop nests, as it would without all this.
    let _ = TRASH.try_with(|trash| {
        if trash.borrow().0 >= DROP_DEPTH {
            trash.borrow_mut().1.extend(items);
            return;
        }
        trash.borrow_mut().0 += 1;
        drop(items);
        // The outermost sees to the rest, still counted as a level of its own.
        while trash.borrow().0 == 1 {
            let Some(next) = trash.borrow_mut().1.pop() else { break };
            drop(next);
        }
        trash.borrow_mut().0 -= 1;
    });
}
