//! Pure state of the user interface: state, action, update, keymap.
