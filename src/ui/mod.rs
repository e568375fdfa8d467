//! Drawing: from state and a rectangle to cells.
